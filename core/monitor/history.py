"""Recent samples: every one for an hour, one a minute for a day. Kept only while sampling goes on."""

from __future__ import annotations

from collections import deque

from ..records.sample import HistoryPoint


class History:
    """Two ring buffers, bounded by age and by count."""

    def __init__(
        self, *, fine_seconds: float = 3600.0, coarse_seconds: float = 86_400.0, coarse_step_seconds: float = 60.0
    ) -> None:
        self._fine_seconds = fine_seconds
        self._coarse_seconds = coarse_seconds
        self._coarse_step_seconds = coarse_step_seconds
        # Not faster than one a second by design of the sampler; the count bounds memory if a clock stands still.
        self._fine: deque[HistoryPoint] = deque(maxlen=round(fine_seconds) + 1)
        self._coarse: deque[HistoryPoint] = deque(maxlen=round(coarse_seconds / coarse_step_seconds) + 1)

    def add(self, point: HistoryPoint) -> None:
        """Append a point; a clock that jumped back drops what would lie in the future."""
        for ring in (self._fine, self._coarse):
            while ring and ring[-1].taken_at > point.taken_at:
                ring.pop()
        self._fine.append(point)
        if not self._coarse or point.taken_at - self._coarse[-1].taken_at >= self._coarse_step_seconds:
            self._coarse.append(point)
        self._drop_old(self._fine, point.taken_at - self._fine_seconds)
        self._drop_old(self._coarse, point.taken_at - self._coarse_seconds)

    @staticmethod
    def _drop_old(ring: deque[HistoryPoint], oldest: float) -> None:
        while ring and ring[0].taken_at < oldest:
            ring.popleft()

    def since(self, taken_after: float) -> list[HistoryPoint]:
        """Return the samples taken after a time: minutes where that is all there is, then every one."""
        fine_from = self._fine[0].taken_at if self._fine else float("inf")
        coarse = [item for item in self._coarse if taken_after < item.taken_at < fine_from]
        return coarse + [item for item in self._fine if item.taken_at > taken_after]
