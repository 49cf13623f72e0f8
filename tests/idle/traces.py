"""Days of a machine's life: what was done on it, when, and where it must have been stopped.

A trace is a list of spans on a clock of seconds; between them nothing is done. `stops_at` is the second at which the
machine must be stopped with a time-out of 30 min and a grace of 5, None for never within the trace.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Span:
    begin: float
    end: float
    kind: str = "active"


@dataclass(frozen=True)
class Trace:
    length: float
    spans: tuple[Span, ...]
    stops_at: float | None
    gaps: tuple[tuple[float, float], ...] = field(default=())
    """Spans in which nobody looked: the process was stopped, the machine slept."""


def _renders(seed: int, hours: int, most_pause: float) -> tuple[Span, ...]:
    """Prompt after prompt, with pauses that are shorter than the time-out."""
    rng, now, spans = random.Random(seed), 0.0, []
    while now < hours * HOUR:
        length = rng.choice([4, 20, 90, 600])
        spans.append(Span(now, now + length))
        now += length + rng.uniform(5, most_pause)
    return tuple(spans)


def _last(spans: tuple[Span, ...]) -> float:
    return max(span.end for span in spans)


_NIGHT = _renders(1, 9, 25 * MINUTE)
_BURSTS = tuple(Span(at, at + 30) for at in range(0, 3 * DAY, 29 * MINUTE))

CORPUS = {
    "nobody ever came": Trace(DAY, (), 35 * MINUTE),
    "one prompt and gone": Trace(DAY, (Span(600, 690),), 690 + 35 * MINUTE),
    "a night of renders": Trace(DAY, _NIGHT, _last(_NIGHT) + 35 * MINUTE),
    "a training of three days": Trace(4 * DAY, (Span(0, 3 * DAY),), 3 * DAY + 35 * MINUTE),
    "a prompt every 29 minutes for three days": Trace(3 * DAY, _BURSTS, None),
    "somebody comes back within the grace": Trace(
        DAY, (Span(0, 600), Span(600 + 33 * MINUTE, 600 + 34 * MINUTE)), 600 + 69 * MINUTE
    ),
    "somebody comes back in the last look": Trace(
        DAY, (Span(0, 600), Span(600 + 35 * MINUTE - 20, 600 + 35 * MINUTE + 20)), 620 + 70 * MINUTE
    ),
    "a server that never tells": Trace(7 * DAY, (Span(0, 7 * DAY, "unknown"),), None),
    "a server that tells again": Trace(2 * DAY, (Span(0, DAY, "unknown"),), DAY + 35 * MINUTE),
    "unknown for a moment every ten minutes": Trace(
        2 * DAY, tuple(Span(at, at + 30, "unknown") for at in range(0, 2 * DAY, 600)), None
    ),
    "a process that slept for six hours": Trace(
        DAY, (Span(0, 600),), 600 + 35 * MINUTE + 6 * HOUR, gaps=((1200, 1200 + 6 * HOUR),)
    ),
    "a process that slept in the grace": Trace(
        DAY, (Span(0, 600),), 600 + 35 * MINUTE + HOUR, gaps=((600 + 32 * MINUTE, 600 + 92 * MINUTE),)
    ),
    "an upload of two hours after a download": Trace(
        DAY, (Span(0, HOUR), Span(HOUR, 3 * HOUR)), 3 * HOUR + 35 * MINUTE
    ),
}
