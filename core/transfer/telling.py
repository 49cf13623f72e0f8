"""How far a transfer is, told to its caller, with the rate of the last seconds."""

from __future__ import annotations

from collections.abc import Callable

from ..records.download import DownloadState
from .job import TransferProgress
from .lanes.state import State

_LEAST_SECONDS = 0.2
_SMOOTHING = 0.3


class Teller:
    """Tells progress; `told_at` says when it last did."""

    def __init__(self, report: Callable[[TransferProgress], None]) -> None:
        self._report = report
        self.told_at = -1e9
        self._rate: float | None = None
        self._mark = (0.0, 0)

    def tell(self, state: State, phase: DownloadState, now: float) -> None:
        """Tell how far a download over our own connections is."""
        plan = state.plan
        self.tell_numbers(
            phase,
            now,
            bytes_done=plan.bytes_done,
            bytes_total=plan.size_bytes,
            bytes_fetched=state.bytes_fetched,
            connections=state.lanes,
            note=state.note,
        )

    def tell_numbers(
        self,
        phase: DownloadState,
        now: float,
        *,
        bytes_done: int,
        bytes_total: int | None,
        bytes_fetched: int,
        connections: int,
        note: str | None,
    ) -> None:
        """Tell numbers from elsewhere."""
        then, bytes_then = self._mark
        if phase is DownloadState.RUNNING and now - then >= _LEAST_SECONDS:
            if then:
                latest = (bytes_fetched - bytes_then) / (now - then)
                self._rate = latest if self._rate is None else self._rate + _SMOOTHING * (latest - self._rate)
            self._mark = (now, bytes_fetched)
        self.told_at = now
        self._report(
            TransferProgress(
                phase=phase,
                bytes_done=bytes_done,
                bytes_total=bytes_total,
                rate_bytes_per_second=self._rate if phase is DownloadState.RUNNING else None,
                connections=connections,
                note=note,
            )
        )
