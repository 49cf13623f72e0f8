"""What is done about failures: pauses, fresh addresses, one stream instead of many, or a new beginning.

Lanes report here; what concerns all of them is left as an `order`, which the fetcher carries out when none is at work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ...errors import RangeRefusedError, StowError
from ...records.source import ResolvedFile
from ..connections.origin import Origin
from ..job import TransferLimits
from .adapt import Connections
from .exchange import StaleError
from .lane import Lane, SeamError
from .retry import Failures, backoff_seconds, can_heal, is_refusal
from .state import State

_log = logging.getLogger("comfystow.transfer")

_MAX_RANGE_FAULTS = 4
_MAX_SEAM_FAULTS = 2

#: Less than this, and a failed exchange counts as one without progress.
LEAST_PROGRESS_BYTES = 4096

Renew = Callable[[], Awaitable[ResolvedFile]]
Order = Callable[[], Awaitable[None]]


class Cures:
    """Decides after each failure of one download."""

    def __init__(
        self, state: State, origin: Origin, connections: Connections, *, limits: TransferLimits, renew: Renew | None
    ) -> None:
        self.fatal: StowError | None = None
        self.order: Order | None = None
        self.not_before = 0.0
        self._state, self._origin, self._connections = state, origin, connections
        self._limits, self._renew = limits, renew
        self._loop = asyncio.get_running_loop()
        self._failures = Failures(limits.retry_limit)
        self._range_faults = self._seam_faults = 0
        self._changes = 0
        self._stale, self._stale_at = 0, -1

    @property
    def blocked(self) -> bool:
        """True while no lane may begin anything."""
        return self.order is not None or self.fatal is not None or self._loop.time() < self.not_before

    def on_success(self) -> None:
        """An exchange has brought all it promised."""
        self._range_faults = 0

    def on_failure(self, lane: Lane, error: StowError, others: list[Lane]) -> None:
        """Decide whether to go on, when, and with how many connections."""
        now = self._loop.time()
        if not can_heal(error):
            self.fatal = self.fatal or error
            return
        _log.debug("a connection failed: %s", error.message)
        if isinstance(error, RangeRefusedError):
            self._on_range_fault(error)
        if is_refusal(error):
            working = sum(1 for other in others if other.moved_bytes)
            self._connections.refused(now, working=working, retry_after=error.retry_after_seconds)
            if working:
                return
        elif lane.moved_bytes >= LEAST_PROGRESS_BYTES:
            return
        if now < self.not_before:
            return  # the same incident: another lane met it a moment ago
        if self._failures.note(error, self._state.plan.bytes_done):
            self.fatal = error
        self.not_before = now + backoff_seconds(
            self._failures.in_a_row,
            base=self._limits.retry_base_seconds,
            most=self._limits.retry_max_seconds,
            retry_after=error.retry_after_seconds,
        )

    def on_stale(self, stale: StaleError) -> None:
        """Ask for a fresh address first, for a fresh token then; a third refusal without a byte between is the end."""
        if self.order is not None:
            return
        if self._state.plan.bytes_done > self._stale_at:
            self._stale = 0
        self._stale = max(self._stale + 1, 1 if stale.signed else 2)
        self._stale_at = self._state.plan.bytes_done
        if self._stale == 1:
            self._origin.forget()
        elif self._stale == 2 and self._renew is not None:
            self.order = self._renew_source
        else:
            self.fatal = stale.error

    def on_changed(self, reason: str) -> None:
        """The storage has other bytes, or other names for them."""
        if self.order is None:
            self.order = lambda: self._change(reason)

    async def distrust(self) -> None:
        """Begin again on one connection: the parts that the server sent do not fit together."""
        self._state.single, self._state.ranged = True, False
        self._restart(self._state.part.file, "the server's parts do not fit together: starting over on one connection")

    def _on_range_fault(self, error: RangeRefusedError) -> None:
        self._range_faults += 1
        if isinstance(error, SeamError):
            self._seam_faults += 1
            if self._seam_faults >= _MAX_SEAM_FAULTS:
                self.order = self.distrust
        elif self._range_faults >= _MAX_RANGE_FAULTS and self._state.ranged:
            self.order = self._go_single

    async def _go_single(self) -> None:
        self._state.note = "the server serves no proper parts: one connection"
        self._state.single, self._state.ranged = True, False

    async def _renew_source(self) -> None:
        fresh = await self._ask_source()
        known = self._state.part.file
        if fresh.digest is not None and known.digest is not None:
            other = fresh.digest != known.digest
        else:
            other = None not in {fresh.size_bytes, known.size_bytes} and fresh.size_bytes != known.size_bytes
        if other:
            self._restart(fresh, "the file changed at its source: starting over")

    async def _change(self, reason: str) -> None:
        """Let the source decide: with the same digest only the storage's name of the bytes has changed."""
        self._state.etag_changed = True
        fresh = await self._ask_source()
        known = self._state.part.file.digest
        if known is None or fresh.digest != known or self._changes:
            self._restart(fresh, "the file changed at its source: starting over", reason=reason)
        else:
            self._changes += 1
            self._state.part.etag = None  # in the end the digest will tell

    async def _ask_source(self) -> ResolvedFile:
        self._origin.forget()
        if self._renew is None:
            return self._state.part.file
        fresh = await self._renew()
        self._origin.url = fresh.url
        return fresh

    def _restart(self, file: ResolvedFile, note: str, *, reason: str = "") -> None:
        self._state.restart(file, note, reason=reason)
        self._failures.best_bytes = 0
        self._seam_faults = 0
