"""When a service that ended is started again (pure): exponential pauses with jitter, and a breaker for crash loops."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """Pauses in seconds. After `limit` ends in a row the pause is `rare_seconds`; a stable run forgets earlier ends."""

    base_seconds: float = 1.0
    max_seconds: float = 60.0
    stable_seconds: float = 60.0
    limit: int = 5
    rare_seconds: float = 600.0
    jitter_ratio: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What follows an end: the ends in a row so far, the pause before the next start, whether it is a crash loop."""

    failures: int
    pause_seconds: float
    crash_loop: bool


def after_end(
    policy: RestartPolicy, failures: int, ready_seconds: float | None, *, chance: float | None = None
) -> Verdict:
    """Judge an end: `failures` ends in a row before it, ready for `ready_seconds` (None: it never was).

    `chance` from 0 to 1 spreads restarts, so that services which fall over together do not come back together.
    """
    if ready_seconds is not None and ready_seconds >= policy.stable_seconds:
        failures = 0
    failures += 1
    spread = 1 + policy.jitter_ratio * (2 * (random.random() if chance is None else chance) - 1)
    if failures >= policy.limit:
        return Verdict(failures=failures, pause_seconds=policy.rare_seconds * spread, crash_loop=True)
    pause = min(policy.max_seconds, policy.base_seconds * 2.0 ** (failures - 1))
    return Verdict(failures=failures, pause_seconds=pause * spread, crash_loop=False)
