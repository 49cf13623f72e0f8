"""The queue: takes requests, runs as many as it may, and lets those go on that have waited.

All of it happens on the engine's loop; bytes move on the transfer engine's own thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from ..errors import ConflictError, StowError, UsageError
from ..records.download import Download, DownloadRequest, DownloadState
from ..records.session import Session
from .ledger import Ledger
from .placement import Places
from .runner import QueueLimits, Runner
from .schedule import is_busy, reorder
from .waiting import Waits

_log = logging.getLogger("comfystow.downloads")

_S = DownloadState
#: More than anybody has models; a caller in a loop must not fill disk and memory.
_MOST_UNFINISHED = 10_000


class DownloadManager:
    """The one queue of an engine.

    `check` refuses a request that could never work, and returns its canonical source.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        runner: Runner,
        waits: Waits,
        places: Places,
        check: Callable[[DownloadRequest, Session | None], Awaitable[str]],
    ) -> None:
        self._ledger = ledger
        self._runner = runner
        self._waits = waits
        self._places = places
        self._check = check
        self._news = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    # Life

    def open(self) -> None:
        """Read the queue and go on with it."""
        self._ledger.open()
        self._watcher = asyncio.create_task(self._watch(), name="downloads-watch")
        self._runner.start_next()

    async def close(self) -> None:
        """Stop all that runs, so that the next engine goes on with it."""
        if self._watcher is not None:
            self._watcher.cancel()
        await self._runner.close()
        self._ledger.close()

    def look_again(self) -> None:
        """Judge at once what waits: a session came or went, a token was set, a prompt ended, limits changed."""
        self._news.set()

    @property
    def limits(self) -> QueueLimits:
        """The numbers of the queue."""
        return self._runner.limits

    def change_limits(self, limits: QueueLimits) -> None:
        """Go by other numbers from now on."""
        self._runner.limits = limits
        self._runner.start_next()

    # Reading

    @property
    def busy(self) -> bool:
        """True while something goes on or would go on by itself."""
        return bool(self._runner.running) or is_busy(self._ledger.rows())

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
        self._runner.start_next()
        return self._ledger.need(download.id)

    def _same_as(self, request: DownloadRequest, source: str) -> Download | None:
        wanted = _key(replace(request, source=source))
        return next((row for row in self._ledger.rows() if _key(row.request) == wanted), None)

    async def pause(self, download_id: str) -> Download:
        """Stop and keep the part. Raises: NotFoundHereError, ConflictError."""
        return await self._runner.stop(download_id, _S.PAUSED)

    async def cancel(self, download_id: str) -> Download:
        """Stop and remove the part. Raises: NotFoundHereError, ConflictError."""
        download = await self._runner.stop(download_id, _S.CANCELLED)
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

    async def limit(self, download_id: str, rate_bytes_per_second: int) -> Download:
        """Limit the bandwidth of one, at once if it runs; 0 lifts the limit. Raises: NotFoundHereError, UsageError."""
        download = self._ledger.need(download_id)
        if rate_bytes_per_second < 0:
            raise UsageError("a bandwidth below 0 is none", hint="0 lifts the limit")
        if download.state.final:
            raise ConflictError(f"`{_name(download)}` is {download.state.value}", hint="there is nothing to limit")
        rate = rate_bytes_per_second or None
        request = replace(download.request, limit_rate_bytes_per_second=rate)
        self._ledger.keep([replace(download, request=request)])
        self._runner.limit(download_id, rate)
        return self._ledger.need(download_id)

    def _queue_all(self, state: DownloadState) -> None:
        for row in self._ledger.rows():
            if row.state is state:
                self._queue_again(row)

    def _queue_again(self, download: Download, *, attempts: int = 0) -> Download:
        self._waits.end(download.id)
        self._ledger.queue_again(download, attempts=attempts)
        self._runner.start_next()
        return self._ledger.need(download.id)

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
        if self._runner.held:
            await asyncio.gather(*(self._runner.stop(download_id, _S.WAITING) for download_id in self._runner.running))
        for row in self._ledger.unfinished():
            if row.state is not _S.WAITING:
                continue
            try:
                over = await self._waits.is_over(row, self._ledger.active(besides=row.id))
            except StowError as err:  # its ComfyUI came back with settings that cannot be used
                _log.warning("%s: %s", _name(row), err.message)
                continue
            now = self._ledger.need(row.id)
            if over and now.state is _S.WAITING:
                self._queue_again(now, attempts=now.attempts)
        self._runner.start_next()


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
