"""Runs downloads: as many at once as may be, each as a task of its own, and brings them to rest."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import StowError
from ..records.download import Download, DownloadState, ErrorInfo, WaitingFor
from ..transfer.job import TransferProgress
from ..units import format_duration
from .ledger import Ledger
from .outcome import RetryLimits, after_error
from .schedule import next_runnable
from .view import name_of
from .waiting import Waits
from .worker import DestinationBusyError, Worker

_log = logging.getLogger("comfystow.downloads")

_S = DownloadState


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """The numbers of the queue."""

    parallel_downloads: int = 3
    pause_while_generating: bool = False
    waiting_check_seconds: float = 2.0
    retry: RetryLimits = field(default_factory=RetryLimits)


class Runner:
    """The tasks of the queue. `limits` may be changed at any time, and counts from the next decision on."""

    def __init__(
        self, *, ledger: Ledger, worker: Worker, waits: Waits, limits: QueueLimits, generating: Callable[[], bool]
    ) -> None:
        self.limits = limits
        self._ledger = ledger
        self._worker = worker
        self._waits = waits
        self._generating = generating
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, DownloadState] = {}  # what a running one was told to become
        self._closed = False

    async def close(self) -> None:
        """Stop all. The rows still say what each did, so the next engine goes on with them."""
        self._closed = True
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    @property
    def running(self) -> list[str]:
        """The ids that have a task."""
        return list(self._tasks)

    @property
    def held(self) -> bool:
        """True while a running prompt holds the queue."""
        return self.limits.pause_while_generating and self._generating()

    def start_next(self) -> None:
        """Start what may start now."""
        if self._closed or len(self._tasks) >= self.limits.parallel_downloads:
            return
        # One whose last run is just ending starts with the next call, at that run's end.
        rows = [row for row in self._ledger.everything() if row.state is not _S.QUEUED or row.id not in self._tasks]
        for row in next_runnable(rows, at_once=self.limits.parallel_downloads, hold=self.held):
            self._ledger.change(row.id, _S.RESOLVING, started_at=row.started_at or time.time())
            self._tasks[row.id] = asyncio.create_task(self._run(row.id), name=f"download-{row.id}")

    async def _run(self, download_id: str) -> None:
        """A worker's top level: whatever happens, the download ends in a state and the next one begins."""

        def report(state: DownloadState, **changes: object) -> Download:
            return self._ledger.change(download_id, state, **changes)

        try:
            row = self._ledger.need(download_id)
            await self._worker.run(row, report, lambda progress: self._progress(download_id, progress))
        except asyncio.CancelledError:
            self._stopped(download_id)
        except DestinationBusyError:
            report(_S.QUEUED, note="another download brings this file")
        except StowError as err:
            self._failed(download_id, err)
        except Exception:  # noqa: BLE001 - the queue outlives every defect
            _log.exception("download %s broke", download_id)
            self._failed(download_id, StowError("something unexpected happened", hint="the engine's log says what"))
        finally:
            del self._tasks[download_id]
            self._told.pop(download_id, None)
            self.start_next()

    def limit(self, download_id: str, rate_bytes_per_second: int | None) -> None:
        """Change the bandwidth of one that runs."""
        if download_id in self._tasks:
            self._worker.limit(self._ledger.need(download_id), rate_bytes_per_second)

    async def stop(self, download_id: str, state: DownloadState) -> Download:
        """Bring one to rest; a file that comes to its place meanwhile stays there."""
        download = self._ledger.need(download_id)
        task = self._tasks.get(download_id)
        if task is not None:
            self._told[download_id] = state
            task.cancel()
            await asyncio.wait([task])
            download = self._ledger.need(download_id)
        if download.state is state or download.state is _S.COMPLETED:
            return download
        self._waits.end(download_id)
        return self._ledger.change(download_id, state)

    def _stopped(self, download_id: str) -> None:
        state = self._told.get(download_id)
        if state is None:  # the engine closes: the row says what it did, and the next engine takes it up
            self._ledger.keep([self._ledger.need(download_id)])
        elif state is _S.WAITING:
            self._begin_wait(download_id, WaitingFor.GENERATION)
        else:
            self._ledger.change(download_id, state)

    def _failed(self, download_id: str, error: StowError) -> None:
        if download_id in self._told:  # it broke while it was being stopped
            self._stopped(download_id)
            return
        row = self._ledger.need(download_id)
        fetching = row.state is not _S.RESOLVING
        outcome = after_error(error, attempts=row.attempts, fetching=fetching, limits=self.limits.retry)
        _log.info("%s: %s -> %s", name_of(row), error.message, outcome.waiting_for or outcome.state.value)
        info = ErrorInfo.of(error)
        if outcome.waiting_for is None:
            self._ledger.change(download_id, outcome.state, error=info, note=None)
        else:
            self._begin_wait(
                download_id,
                outcome.waiting_for,
                outcome.delay_seconds,
                error=info,
                note=f"trying again in {format_duration(outcome.delay_seconds)}" if outcome.delay_seconds else None,
                attempts=row.attempts + (outcome.waiting_for is WaitingFor.HOST),
            )

    def _begin_wait(
        self, download_id: str, cause: WaitingFor, delay_seconds: float | None = None, **changes: object
    ) -> None:
        row = self._ledger.change(download_id, _S.WAITING, waiting_for=cause, **changes)
        self._waits.begin(row, delay_seconds)

    def _progress(self, download_id: str, progress: TransferProgress) -> None:
        row = self._ledger.need(download_id)
        if download_id not in self._tasks or not row.state.active:
            return  # told by the last run, after its end
        total = progress.bytes_total if progress.bytes_total is not None else row.bytes_total
        numbers = {
            "bytes_done": progress.bytes_done,
            "bytes_total": total,
            "rate_bytes_per_second": progress.rate_bytes_per_second,
            "connections": progress.connections,
            "note": progress.note,
            "attempts": 0 if progress.bytes_done > row.bytes_done else row.attempts,
        }
        if progress.phase is row.state:
            self._ledger.note_progress(download_id, **numbers)
        else:
            self._ledger.change(download_id, progress.phase, **numbers)
