"""Looks after a rented machine: reads the signals, lets the policy decide, warns, and asks the provider.

On the engine's loop. Where the policy is off there is no task, no lease and no request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..config import Settings
from ..errors import ConfigError, ConflictError, UsageError
from ..net.proxies import Proxies
from ..records.idle import Activity, IdleMode, IdleState, Machine, Signal, StopResult
from .mode import mode_of
from .policy import Policy, Reason, Standing, activity_of, decide, ended
from .providers import Provider, detect
from .providers.detect import rented
from .providers.nobody import Nobody
from .savings import Savings, Stop, in_time
from .signals import Reader, Surroundings, make_readers
from .signals.reader import unknown
from .signals.work import KeepAlive

_log = logging.getLogger("comfystow.idle")

#: Prices change rarely; a machine that is described every ten minutes costs its provider nothing.
_DESCRIBE_SECONDS = 600.0
#: A signal that takes longer than this is unknown.
_SIGNAL_SECONDS = 20.0
_HOUR_SECONDS = 3600.0
MOST_KEEP_ALIVE_SECONDS = 7 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the keeper is connected to."""

    around: Surroundings
    environment: Mapping[str, str]
    """Of the machine: who rents it out, and the key."""
    come_up: Callable[[], bool]
    """Whether the machine has come up with all that it was to bring."""
    lease: Callable[[bool, float], None]
    """Begin sampling at an interval in seconds, or end it."""
    report: Callable[[IdleReport], None]
    changed: Callable[[], None]
    """Tell the panel that there is something new to read."""
    age_seconds: Callable[[], float]
    proxies: Proxies


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleReport:
    """The numbers that alerts and metrics go by; None where there is none."""

    idle_seconds: float | None
    stop_in_seconds: float | None
    cost_per_hour: float | None
    stop_failures: int


class Keeper:
    """The one place that may stop the machine."""

    def __init__(self, settings: Settings, state_dir: Path, outside: Outside) -> None:
        self._outside = outside
        self._began = time.monotonic()
        self._rate = settings.idle_clock_rate if settings.idle_clock_rate > 0 else 1.0
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._described_at = float("-inf")
        self._armed = False
        self._failures = 0
        self._readers: list[Reader] = []
        self.keep_alives = KeepAlive(self.clock)
        self.signals: tuple[Signal, ...] = ()
        self.problems: list[str] = []
        self.result: StopResult | None = None
        self.standing = Standing(state=IdleState.OFF)
        self.provider: Provider = Nobody()
        self.machine = Machine(provider="none")
        self._take(settings)
        self.savings = Savings(state_dir, self.provider.id)

    def clock(self) -> float:
        """Return the policy's time: monotonic, and faster in tests."""
        return (time.monotonic() - self._began) * self._rate

    def _take(self, settings: Settings) -> None:
        """Go by settings; what cannot be used is told and stops nothing."""
        self.settings = settings
        self.problems = []
        mode, problem = mode_of(settings, rented=rented(self._outside.environment))
        if problem is not None:
            self.problems.append(problem)
        try:
            self.provider = detect(self._outside.environment, settings, self._outside.proxies)
        except ConfigError as err:
            self.problems.append(err.message)
            self.provider = Nobody(err.message)
        self.policy = Policy.of(settings, mode)
        if not self.provider.can_stop and (self.policy.stops or self.policy.lifetime_seconds is not None):
            self.problems.append("nothing is known that could stop this machine: it is only told that it is idle")
            told = IdleMode.NOTIFY if self.policy.stops else mode
            self.policy = replace(self.policy, mode=told, lifetime_seconds=None)
        if self.policy.on and settings.idle_timeout_seconds < self.policy.timeout_seconds:
            self.problems.append(f"`idle_timeout_seconds` is too short: it is {self.policy.timeout_seconds:g} at least")
        for text in self.problems:
            _log.warning("%s", text)

    # Life

    @property
    def lasting(self) -> bool:
        """True where the machine is looked after: the engine then stays though nobody asks for anything."""
        return self._task is not None

    @property
    def on_rented(self) -> bool:
        """True where there is something to show: a provider, a command or a policy."""
        return self.policy.on or self.provider.name != "none"

    async def open(self) -> None:
        """Begin, where the policy is on."""
        if not self.on_rented:
            return
        await asyncio.to_thread(self.savings.open, time.time())
        self.standing = replace(
            Standing(state=IdleState.STARTING if self.policy.on else IdleState.OFF),
            now=self.clock(),
            quiet_since=self.clock(),
            moved_at=self.clock(),
            lived_seconds=self._outside.age_seconds() * self._rate,
        )
        self._begin()

    def _begin(self) -> None:
        if not self.policy.on:
            return
        self._readers = make_readers(self._outside.around, self.settings, self.keep_alives)
        self._outside.lease(True, max(1.0, self._pause_seconds))
        self._task = asyncio.create_task(self._run(), name="idle")

    async def change(self, settings: Settings) -> None:
        """Go by other settings from now on; what was being watched is watched anew."""
        names = [name for name in dir(settings) if name.startswith(("idle_", "jupyter_")) or name == "cost_per_hour"]
        if all(getattr(settings, name) == getattr(self.settings, name) for name in names):
            self.settings = settings
            return
        if self.standing.state in {IdleState.STOPPING, IdleState.STOPPED}:
            return  # they hold from the next start on
        lived = self.standing.lived_seconds
        await self._end()
        old = self.provider
        self._take(settings)
        await old.close()
        await self.open()
        self.standing = replace(self.standing, lived_seconds=max(lived, self.standing.lived_seconds))
        self._outside.changed()

    async def close(self) -> None:
        """Stop looking."""
        await self._end()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self.provider.close()

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._outside.lease(False, 0.0)
            task.cancel()
            await asyncio.wait([task])
        readers, self._readers = self._readers, []
        for reader in readers:
            await reader.close()

    # Looking

    @property
    def _pause_seconds(self) -> float:
        return max(0.05, max(1.0, self.settings.idle_check_seconds) / self._rate)

    async def _run(self) -> None:
        self.look_at_machine()
        while True:
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - a worker's top level: a machine that is not watched is paid for
                _log.exception("the idle policy could not look")
            await asyncio.sleep(self._pause_seconds)

    async def _look(self) -> None:
        before = self.standing.state
        await self._judge()
        if before is IdleState.STOPPED and self.standing.state is IdleState.FAILED:
            _log.error("the provider said yes, and the machine is still here")
            self._failures += 1
            await in_time(self.savings.unstopped)
        if self.standing.state is IdleState.STOPPING:
            await self._stop()
        if self.policy.on and time.monotonic() - self._described_at > _DESCRIBE_SECONDS:
            self.look_at_machine()
        self._tell(before)

    async def _judge(self) -> None:
        """Read every signal and decide."""
        self._armed = self._armed or self._outside.come_up()
        self.signals = await self._read()
        self.standing = decide(self.policy, self.standing, self.signals, self.clock(), armed=self._armed)

    async def _read(self) -> tuple[Signal, ...]:
        found = await asyncio.gather(*(self._read_one(reader) for reader in self._readers))
        return tuple(signal for signal in found if signal is not None)

    async def _read_one(self, reader: Reader) -> Signal | None:
        try:
            async with asyncio.timeout(_SIGNAL_SECONDS):
                return await reader.read()
        except TimeoutError:
            return unknown(reader.name, "it takes too long to find out")
        except Exception:  # noqa: BLE001 - as above: whatever is wrong with one sign of life, it says nothing
            _log.exception("the signal %s could not be read", reader.name)
            return unknown(reader.name, "it could not be read; the log says why")

    def _tell(self, before: IdleState) -> None:
        standing = self.standing
        warned = standing.state in {IdleState.GRACE, IdleState.STOPPING, IdleState.FAILED}
        self._outside.report(
            IdleReport(
                idle_seconds=standing.quiet_seconds,
                stop_in_seconds=standing.stops_in(self.policy) if warned else None,
                cost_per_hour=self.cost_per_hour,
                stop_failures=self._failures,
            )
        )
        if standing.state is not before:
            _log.info("%s, was %s: %s", standing.state, before, words_of(self.signals))
            self._outside.changed()

    # Stopping

    async def _stop(self) -> None:
        """Look once more, and ask the provider; every word of it is logged and kept."""
        if not await self._still():
            return
        reason = self.standing.reason or Reason.IDLE
        terminate = self.policy.mode is IdleMode.TERMINATE and reason is Reason.IDLE
        self._outside.changed()
        _log.warning("stopping this machine (%s): %s", reason, words_of(self.signals))
        stop = Stop(
            stopped_at=time.time(), cost_per_hour=self.cost_per_hour, reason=reason.value, machine_id=self.machine.id
        )
        await in_time(partial(self.savings.stopped, stop))  # afterwards may be too late
        self.result = await self.provider.stop(terminate=terminate, still=self._still)
        for attempt in self.result.attempts:
            _log.info("%s: %s", attempt.way, attempt.words)
        if not self.result.done:
            await in_time(self.savings.unstopped)
        if self.result.abandoned:
            _log.info("not stopped: somebody came back")
            return
        self._failures += not self.result.done
        log = _log.warning if self.result.done else _log.error
        log("%s%s", self.result.words, f" ({self.result.hint})" if self.result.hint else "")
        self.standing = ended(replace(self.standing, now=self.clock()), done=self.result.done)

    async def _still(self) -> bool:
        """Read everything anew: between a decision and its deed somebody may have come back."""
        await self._judge()
        return self.standing.state is IdleState.STOPPING

    def keep_alive(self, holder: str, seconds: float) -> None:
        """Keep the machine up for some time; 0 ends that. Raises: UsageError, ConflictError."""
        if not 0 <= seconds <= MOST_KEEP_ALIVE_SECONDS:
            raise UsageError(f"`seconds` must be from 0 to {MOST_KEEP_ALIVE_SECONDS:g}")
        if not self.policy.on:
            raise ConflictError("nothing stops this machine", hint="see `idle_mode` in docs/idle.md")
        if self.standing.state is IdleState.STOPPED:
            raise ConflictError("the provider has stopped this machine already", hint="start it again there")
        self.keep_alives.keep(holder, seconds)
        # Not at the next look: who clicks must see at once that it worked.
        signals = [*(row for row in self.signals if row.name != KeepAlive.name)]
        if seconds > 0:
            left = f"for {seconds / 60:.0f} min more"
            signals.append(Signal(name=KeepAlive.name, activity=Activity.ACTIVE, words=left))
        before, self.signals = self.standing.state, tuple(signals)
        self.standing = decide(self.policy, self.standing, self.signals, self.clock(), armed=self._armed)
        self._tell(before)
        self._outside.changed()

    # The machine

    @property
    def cost_per_hour(self) -> float | None:
        """The owner's word before the provider's."""
        own = self.settings.cost_per_hour
        return own if own is not None else self.machine.cost_per_hour

    @property
    def cost_so_far(self) -> float | None:
        """What it has cost since its provider started it, else since its container began."""
        price, began = self.cost_per_hour, self.machine.started_at
        if price is None:
            return None
        seconds = time.time() - began if began is not None else self._outside.age_seconds()
        return max(0.0, seconds) / _HOUR_SECONDS * price

    def look_at_machine(self) -> None:
        """Ask the provider what the machine is, beside all else; not more often than every ten minutes."""
        if self._asking is not None and not self._asking.done():
            return
        if time.monotonic() - self._described_at <= _DESCRIBE_SECONDS or not self.on_rented:
            return
        self._described_at = time.monotonic()
        self._asking = asyncio.create_task(self._describe(), name="describe-machine")

    async def _describe(self) -> None:
        told = await self.provider.describe()
        if told.note is not None and self.machine.status is not None:
            told = replace(self.machine, note=told.note)  # yesterday's price is better than none
        if told != self.machine:
            self.machine = told
            self._outside.changed()


def words_of(signals: Iterable[Signal]) -> str:
    """Say what decided, in one line."""
    rows = list(signals)
    overall = activity_of(rows)
    deciding = [row for row in rows if row.activity is overall] or rows
    return "; ".join(f"{row.name}: {row.words}" for row in deciding) or "no signal"
