"""When a machine counts as idle and what follows: pure, on a clock that is handed in.

Unknown counts as active: who cannot tell whether a machine is used must not stop it. Time that nobody watched (a
process that hung, a machine that slept) counts neither as idle nor as warned. The age of the machine does count, for it
is paid for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from ..config import Settings
from ..records.idle import Activity, IdleMode, IdleState, Signal

#: Nobody means less than this: a look at a page, a cup of tea.
LEAST_TIMEOUT_SECONDS = 300.0
#: A provider that said yes has this long until the machine must be gone.
_STILL_HERE_SECONDS = 600.0
_MOST_RETRY_SECONDS = 900.0


class Reason(StrEnum):
    """Why a machine is stopped."""

    IDLE = "idle"
    LIFETIME = "lifetime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The numbers; seconds. `lifetime_seconds` None is no cap."""

    mode: IdleMode = IdleMode.NOTIFY
    timeout_seconds: float = 1800.0
    grace_seconds: float = 300.0
    lifetime_seconds: float | None = None
    retry_seconds: float = 60.0
    most_gap_seconds: float = 75.0
    """Between two looks; what is longer was not watched."""

    @classmethod
    def of(cls, settings: Settings, mode: IdleMode) -> Policy:
        """Take the numbers from the settings; what is too short, or no number, becomes the least."""
        lifetime = settings.idle_lifetime_seconds
        return cls(
            mode=mode,
            timeout_seconds=_least(settings.idle_timeout_seconds, LEAST_TIMEOUT_SECONDS),
            grace_seconds=_least(settings.idle_grace_seconds, 0.0),
            lifetime_seconds=None if lifetime is None else _least(lifetime, LEAST_TIMEOUT_SECONDS),
            retry_seconds=_least(settings.idle_retry_seconds, 1.0),
            most_gap_seconds=max(60.0, 5 * _least(settings.idle_check_seconds, 1.0)),
        )

    @property
    def on(self) -> bool:
        """True where somebody has to look."""
        return self.mode is not IdleMode.OFF or self.lifetime_seconds is not None

    @property
    def stops(self) -> bool:
        """True where an idle machine is stopped."""
        return self.mode in {IdleMode.STOP, IdleMode.TERMINATE}


def _least(number: float, least: float) -> float:
    return max(least, number)  # in this order NaN, which compares with nothing, gives the least


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the policy stands. Moments are seconds on the policy's clock."""

    state: IdleState = IdleState.STARTING
    now: float = 0.0
    lived_seconds: float = 0.0
    idle_since: float | None = None
    """Everything has been known to be idle since then."""
    quiet_since: float = 0.0
    """Nothing has been known to be active since then."""
    doubt_since: float | None = None
    """Something has been unknown since then, and nothing active."""
    grace_since: float | None = None
    reason: Reason | None = None
    """Why it is, or will be, stopped; only from the warning on."""
    failures: int = 0
    moved_at: float = 0.0
    """When the state became what it is."""

    @property
    def quiet_seconds(self) -> float:
        """For how long nothing has been known to be active."""
        return self.now - self.quiet_since

    def stops_in(self, policy: Policy) -> float | None:
        """Seconds until the machine is stopped if nothing happens; None where it is not."""
        ways = []
        if policy.lifetime_seconds is not None and self.state not in {IdleState.OFF, IdleState.STOPPED}:
            ways.append(policy.lifetime_seconds - self.lived_seconds)
        if self.grace_since is not None:
            ways.append(policy.grace_seconds - (self.now - self.grace_since))
        elif self.idle_since is not None and policy.stops:
            ways.append(policy.timeout_seconds + policy.grace_seconds - (self.now - self.idle_since))
        return max(0.0, min(ways)) if ways else None


def activity_of(signals: Iterable[Signal]) -> Activity:
    """Sum the signals up: one that is active makes all active, else one that is unknown makes all unknown."""
    found = {signal.activity for signal in signals}
    for activity in (Activity.ACTIVE, Activity.UNKNOWN):
        if activity in found:
            return activity
    return Activity.IDLE if found else Activity.UNKNOWN


def decide(
    policy: Policy, standing: Standing, signals: Iterable[Signal], now: float, *, armed: bool = True
) -> Standing:
    """Return where the policy stands now.

    In `IdleState.STOPPING` the caller reads all signals anew, decides again, and only if it still stands there asks
    the provider; then it tells what came of it by `ended`. `armed` is false until the machine has come up once.
    """
    before = _moved_on(policy, standing, now)
    after = _judged(policy, before, activity_of(signals), armed=armed)
    return after if after.state is before.state else replace(after, moved_at=now)


def _moved_on(policy: Policy, standing: Standing, now: float) -> Standing:
    """Let time pass; a gap, or a clock that went back, moves every beginning with it."""
    gap = now - standing.now
    skipped = gap if gap < 0 or gap > policy.most_gap_seconds else 0.0
    return replace(
        standing,
        now=now,
        lived_seconds=standing.lived_seconds + max(0.0, gap),
        idle_since=_later(standing.idle_since, skipped),
        quiet_since=standing.quiet_since + skipped,
        doubt_since=_later(standing.doubt_since, skipped),
        grace_since=_later(standing.grace_since, skipped),
        moved_at=standing.moved_at + skipped,
    )


def _later(moment: float | None, seconds: float) -> float | None:
    return None if moment is None else moment + seconds


def _judged(policy: Policy, standing: Standing, activity: Activity, *, armed: bool) -> Standing:
    if not policy.on:
        return replace(_at_rest(standing), state=IdleState.OFF)
    if standing.state is IdleState.STOPPED:
        waited = standing.now - standing.moved_at
        return standing if waited < _STILL_HERE_SECONDS else ended(standing, done=False)
    noted = _noted(standing, activity, armed=armed)
    lifetime = policy.lifetime_seconds
    if lifetime is not None and noted.lived_seconds >= lifetime - policy.grace_seconds:
        return _towards_stop(policy, noted, Reason.LIFETIME)
    if not armed:
        return replace(_at_rest(noted), state=IdleState.STARTING)
    idle = noted.idle_since
    if not policy.stops or idle is None or noted.now - idle < policy.timeout_seconds:
        return replace(_at_rest(noted), state=IdleState.WATCHING)
    return _towards_stop(policy, noted, Reason.IDLE)


def _noted(standing: Standing, activity: Activity, *, armed: bool) -> Standing:
    """Keep since when it is idle, quiet or unknown."""
    now = standing.now
    if activity is Activity.ACTIVE or (armed and standing.state is IdleState.STARTING):
        return replace(standing, idle_since=None, quiet_since=now, doubt_since=None)
    if activity is Activity.UNKNOWN or not armed:
        doubt = standing.doubt_since if standing.doubt_since is not None else now
        return replace(standing, idle_since=None, doubt_since=doubt)
    idle = standing.idle_since if standing.idle_since is not None else now
    return replace(standing, idle_since=idle, doubt_since=None)


def _at_rest(standing: Standing) -> Standing:
    return replace(standing, grace_since=None, reason=None, failures=0)


def _towards_stop(policy: Policy, standing: Standing, reason: Reason) -> Standing:
    """Warn, then stop, then try again after a failure."""
    grace = standing.grace_since
    if grace is None:
        warned = replace(standing, grace_since=standing.now, reason=reason, state=IdleState.GRACE)
        return warned if policy.grace_seconds > 0 else replace(warned, state=IdleState.STOPPING)
    known = replace(standing, reason=reason)
    if standing.state is IdleState.FAILED:
        due = standing.now - standing.moved_at >= retry_pause(policy, standing.failures)
        return replace(known, state=IdleState.STOPPING) if due else known
    over = standing.now - grace >= policy.grace_seconds
    return replace(known, state=IdleState.STOPPING if over else IdleState.GRACE)


def retry_pause(policy: Policy, failures: int) -> float:
    """Return the seconds until a stop that failed is tried again."""
    return float(min(_MOST_RETRY_SECONDS, policy.retry_seconds * 2 ** min(20, max(0, failures - 1))))


def ended(standing: Standing, *, done: bool) -> Standing:
    """Return where the policy stands after the provider was asked."""
    if done:
        return replace(standing, state=IdleState.STOPPED, moved_at=standing.now)
    return replace(standing, state=IdleState.FAILED, failures=standing.failures + 1, moved_at=standing.now)
