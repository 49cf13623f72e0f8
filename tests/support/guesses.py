"""Wrong secrets, as many as make the next wait longer than a slow machine needs for a few requests."""

from __future__ import annotations

import time
from collections.abc import Callable

#: The waits after the fifth are 1, 2, 4, 8 s.
ENOUGH = 7


def guess_wrong(guess: Callable[[], int]) -> list[int]:
    """Guess until so many were looked at; return the statuses of all."""
    statuses: list[int] = []
    while sum(status != 429 for status in statuses) < ENOUGH:
        statuses.append(guess())
        if statuses[-1] == 429:
            time.sleep(0.1)
    return statuses
