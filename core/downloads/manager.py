"""The queue: takes requests, runs as many as it may, and lets those go on that have waited.

All of it happens on the engine's loop; bytes move on the transfer engine's own thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import ConflictError, StowError
from ..records.download import Download, DownloadRequest, DownloadState, ErrorInfo, WaitingFor
from ..records.session import Session
from ..transfer.job import TransferProgress
from .ledger import Ledger
from .outcome import RetryLimits, after_error
from .placement import Places
from .schedule import is_busy, next_runnable, reorder
from .waiting import Waits
from .worker import DestinationBusyError, Worker

_log = logging.getLogger("comfystow.downloads")

_S = DownloadState
#: More than anybody has models; a caller in a loop must not fill disk and memory.
_MOST_UNFINISHED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """The numbers of the queue."""

    parallel_downloads: int = 3
    pause_while_generating: bool = False
    waiting_check_seconds: float = 2.0
    retry: RetryLimits = field(default_factory=RetryLimits)


class DownloadManager:
    """The one queue of an engine.

    `check` refuses a request that could never work and returns its canonical source; `limits` may be changed at any
    time, and counts from the next decision on.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        worker: Worker,
        waits: Waits,
        places: Places,
        limits: QueueLimits,
        check: Callable[[DownloadRequest, Session | None], Awaitable[str]],
        generating: Callable[[], bool],
    ) -> None:
        self.limits = limits
        self._ledger = ledger
        self._worker = worker
        self._waits = waits
        self._places = places
        self._check = check
        self._generating = generating
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, DownloadState] = {}  # what a running one was told to become
        self._news = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._closed = False

    # Life

    def open(self) -> None:
        """Read the queue and go on with it."""
        self._ledger.open()
        self._watcher = asyncio.create_task(self._watch(), name="downloads-watch")
        self._start_next()

    async def close(self) -> None:
        """Stop all that runs. The rows still say what each did, so the next engine goes on with them."""
        self._closed = True
        if self._watcher is not None:
            self._watcher.cancel()
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))
        self._ledger.close()

    def look_again(self) -> None:
        """Judge at once what waits: a session came or went, a token was set, a prompt ended, limits changed."""
        self._news.set()

    # Reading

    @property
    def busy(self) -> bool:
        """True while something goes on or would go on by itself."""
        return bool(self._tasks) or is_busy(self._ledger.rows())

    def list(self) -> list[Download]:
        """Return the queue in its order, then the history, newest first."""
        return self._ledger.rows()

    def get(self, download_id: str) -> Download | None:
        """Return one."""
        return self._ledger.get(download_id)

    async def wait(self, download_id: str) -> Download:
        """Wait until nothing more happens to it by itself: it ended, is paused, or waits for somebody."""
        return await self._ledger.wait(download_id)

    # Requests

    async def submit(self, request: DownloadRequest, session: Session | None = None) -> Download:
        """Take a request; the same file again gives the same download, which goes on where it had stopped.

        Raises: StowError: it could never work.
        """
        source = await self._check(request, session)
        session_id = session.server_id if session is not None else None
        known = self._same_as(request, source)
        if known is not None:
            if _is_under_way(known) or await _is_done(known):
                return known
            return self._queue_again(replace(known, request=request, session_id=session_id))
        if len(self._ledger.unfinished()) >= _MOST_UNFINISHED:
            raise ConflictError("the queue is full", hint="wait, or cancel some downloads")
        download = Download(
            id=uuid.uuid4().hex[:12],
            request=replace(request, source=source),
            state=_S.QUEUED,
            source=source,
            session_id=session_id,
            folder_name=request.folder_name,
            filename=request.filename,
            position=self._ledger.last_position() + 1.0,
            created_at=time.time(),
        )
        self._ledger.add(download)
        self._start_next()
        return self._ledger.need(download.id)

    def _same_as(self, request: DownloadRequest, source: str) -> Download | None:
        wanted = _key(replace(request, source=source))
        return next((row for row in self._ledger.rows() if _key(row.request) == wanted), None)

    async def pause(self, download_id: str) -> Download:
        """Stop and keep the part. Raises: NotFoundHereError, ConflictError."""
        return await self._stop(download_id, _S.PAUSED)

    async def cancel(self, download_id: str) -> Download:
        """Stop and remove the part. Raises: NotFoundHereError, ConflictError."""
        download = await self._stop(download_id, _S.CANCELLED)
        shared = any(other.dest_path == download.dest_path for other in self._ledger.unfinished())
        if download.state is _S.CANCELLED and not shared:
            await self._places.discard(download)
        return download

    async def resume(self, download_id: str) -> Download:
        """Let a paused or waiting one go on. Raises: NotFoundHereError, ConflictError."""
        download = self._ledger.need(download_id)
        if download.state.final:
            raise ConflictError(f"`{_name(download)}` is {download.state.value}", hint="retry it instead")
        return download if _is_under_way(download) else self._queue_again(download)

    async def retry(self, download_id: str) -> Download:
        """Start one again that failed or was cancelled, or try a waiting one now. Raises: NotFoundHereError."""
        download = self._ledger.need(download_id)
        return download if _is_under_way(download) or await _is_done(download) else self._queue_again(download)

    async def pause_all(self) -> None:
        """Pause everything that is not finished."""
        await asyncio.gather(*(self.pause(row.id) for row in self._ledger.unfinished()))

    async def resume_all(self) -> None:
        """Resume everything that is paused."""
        self._queue_all(_S.PAUSED)

    async def retry_failed(self) -> None:
        """Start everything again that failed."""
        self._queue_all(_S.FAILED)

    async def move(self, download_id: str, position: int) -> Download:
        """Put a download at an index of the queue; 0 is first. Raises: NotFoundHereError, ConflictError."""
        download = self._ledger.need(download_id)
        if download.state.final:
            raise ConflictError(f"`{_name(download)}` is {download.state.value} and has no place in the queue")
        moved = reorder(self._ledger.rows(), download_id, position)
        self._ledger.keep([replace(self._ledger.need(row_id), position=place) for row_id, place in moved.items()])
        return self._ledger.need(download_id)

    def _queue_all(self, state: DownloadState) -> None:
        for row in self._ledger.rows():
            if row.state is state:
                self._queue_again(row)

    def _queue_again(self, download: Download, *, attempts: int = 0) -> Download:
        self._waits.end(download.id)
        self._ledger.queue_again(download, attempts=attempts)
        self._start_next()
        return self._ledger.need(download.id)

    # Running

    @property
    def _held(self) -> bool:
        return self.limits.pause_while_generating and self._generating()

    def _start_next(self) -> None:
        if self._closed:
            return
        # One whose last run is just ending starts with the next call, at that run's end.
        rows = [row for row in self._ledger.rows() if row.state is not _S.QUEUED or row.id not in self._tasks]
        for row in next_runnable(rows, at_once=self.limits.parallel_downloads, hold=self._held):
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
            self._start_next()

    async def _stop(self, download_id: str, state: DownloadState) -> Download:
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
        _log.info("%s: %s -> %s", _name(row), error.message, outcome.waiting_for or outcome.state.value)
        info = ErrorInfo.of(error)
        if outcome.waiting_for is None:
            self._ledger.change(download_id, outcome.state, error=info, note=None)
        else:
            self._begin_wait(
                download_id,
                outcome.waiting_for,
                outcome.delay_seconds,
                error=info,
                note=None,
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

    # Waiting

    async def _watch(self) -> None:
        """A worker's top level: look at what waits now and then, and at once when there is news."""
        while True:
            try:
                async with asyncio.timeout(self.limits.waiting_check_seconds):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - the queue outlives every defect
                _log.exception("the look at what waits failed")

    async def _look(self) -> None:
        """Let those go on whose cause has gone, and hold those that a generation displaces."""
        if self._held:
            await asyncio.gather(*(self._stop(download_id, _S.WAITING) for download_id in list(self._tasks)))
        for row in self._ledger.unfinished():
            if row.state is not _S.WAITING:
                continue
            over = await self._waits.is_over(row, self._ledger.active(besides=row.id))
            now = self._ledger.need(row.id)
            if over and now.state is _S.WAITING:
                self._queue_again(now, attempts=now.attempts)
        self._start_next()


def _key(request: DownloadRequest) -> tuple[str | None, ...]:
    """Return what is equal for two requests of one file at one place."""
    return request.source, request.folder_name, request.subfolder, request.filename


def _name(download: Download) -> str:
    return download.filename or download.source


def _is_under_way(download: Download) -> bool:
    return download.state.active or download.state is _S.QUEUED


async def _is_done(download: Download) -> bool:
    """Tell whether a completed one's file is still in its place."""
    if download.state is not _S.COMPLETED or download.dest_path is None:
        return False
    try:
        stat = await asyncio.to_thread(Path(download.dest_path).stat)
    except OSError:
        return False
    return stat.st_size == download.bytes_total
