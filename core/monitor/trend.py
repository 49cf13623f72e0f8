"""When a disk will be full, if it goes on filling as it does."""

from __future__ import annotations

from collections.abc import Sequence

#: Slower than this is no trend anybody acts on.
_MAX_SECONDS = 86_400.0


def full_in_seconds(points: Sequence[tuple[float, int]]) -> float | None:
    """Return the seconds until nothing is free, from (time, free bytes) in order; None where it does not fill."""
    if len(points) < 2:
        return None
    (began, free_before), (ended, free) = points[0], points[-1]
    if ended <= began or free >= free_before:
        return None
    seconds = free * (ended - began) / (free_before - free)
    return seconds if seconds <= _MAX_SECONDS else None
