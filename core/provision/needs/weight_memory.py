"""What models at their sources weigh, remembered for a while."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

_MOST_KEPT = 2000
_KEEP_SECONDS = 3600.0


@dataclass(slots=True)
class WeightMemory:
    """What was read at sources; a repository that goes on is asked again after an hour."""

    known: dict[str, tuple[float, int | None]] = field(default_factory=dict)

    def get(self, source: str) -> tuple[bool, int | None]:
        """Return whether a source was asked, and what it told."""
        until, weight = self.known.get(source, (0.0, None))
        return until > time.monotonic(), weight

    def keep(self, source: str, weight: int | None) -> None:
        """Remember an answer, and that there was none."""
        if len(self.known) >= _MOST_KEPT:
            self.known.clear()
        self.known[source] = (time.monotonic() + _KEEP_SECONDS, weight)
