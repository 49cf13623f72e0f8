"""The queue: takes requests, runs as many as it may, and lets those go on that have waited.

All of it happens on the engine's loop; bytes move on the transfer engine's own thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

from ..errors import ConflictError, NotFoundHereError, StowError, UsageError
from ..records.download import Download, DownloadRequest, DownloadState
from ..records.session import Session
from .ledger import Ledger
from .placement import Places
from .runner import QueueLimits, Runner
from .schedule import is_busy, reorder
from .view import name_of
from .waiting import Waits

_log = logging.getLogger("comfystow.downloads")

_S = DownloadState
#: More than anybody has models; a caller in a loop must not fill disk and memory.
_MOST_UNFINISHED = 10_000
#: Looks at what waits that go on side by side: one may ask a source that is slow to answer.
_LOOKS_AT_ONCE = 8


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
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
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
        return bool(self._runner.running) or is_busy(self._ledger.everything())

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
        base_path = str(session.layout.base_path) if session is not None and session.layout.folders else None
        while (known := self._ledger.same_as(replace(request, source=source))) is not None:
            async with self._turn(known.id):
                known = self._ledger.get(known.id)
                if known is None:  # the history has forgotten it while it was waited for
                    continue
                if _is_under_way(known) or await _is_done(known):
                    return known
                return self._go_on(replace(known, request=request, session_id=session_id, base_path=base_path))
        if sum(not row.state.final for row in self._ledger.everything()) >= _MOST_UNFINISHED:
            raise ConflictError("the queue is full", hint="wait, or cancel some downloads")
        download = Download(
            id=uuid.uuid4().hex[:12],
            request=replace(request, source=source),
            state=_S.QUEUED,
            source=source,
            session_id=session_id,
            base_path=base_path,
            folder_name=request.folder_name,
            filename=request.filename,
            position=self._ledger.last_position() + 1.0,
            created_at=time.time(),
        )
        self._ledger.add(download)
        self._runner.start_next()
        return self._ledger.need(download.id)

    async def pause(self, download_id: str) -> Download:
        """Stop and keep the part. Raises: NotFoundHereError, ConflictError."""
        async with self._turn(download_id):
            return await self._runner.stop(download_id, _S.PAUSED)

    async def cancel(self, download_id: str) -> Download:
        """Stop and remove the part. Raises: NotFoundHereError, ConflictError."""
        async with self._turn(download_id):
            download = await self._runner.stop(download_id, _S.CANCELLED)
            shared = any(other.dest_path == download.dest_path for other in self._ledger.unfinished())
            if download.state is _S.CANCELLED and not shared:
                await self._places.discard(download)
            return download

    async def resume(self, download_id: str) -> Download:
        """Let a paused or waiting one go on. Raises: NotFoundHereError, ConflictError."""
        async with self._turn(download_id):
            download = self._ledger.need(download_id)
            if download.state.final:
                raise ConflictError(f"`{name_of(download)}` is {download.state.value}", hint="retry it instead")
            return download if _is_under_way(download) else self._go_on(download)

    async def retry(self, download_id: str) -> Download:
        """Start one again that failed or was cancelled, or try a waiting one now. Raises: NotFoundHereError."""
        async with self._turn(download_id):
            download = self._ledger.need(download_id)
            return download if _is_under_way(download) or await _is_done(download) else self._go_on(download)

    async def pause_all(self) -> None:
        """Pause everything that is not finished."""
        self._ledger.pause_resting()

        async def rest(download_id: str) -> None:
            with contextlib.suppress(ConflictError, NotFoundHereError):  # it ended meanwhile
                await self.pause(download_id)

        await asyncio.gather(*map(rest, self._runner.running))

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
            raise ConflictError(f"`{name_of(download)}` is {download.state.value} and has no place in the queue")
        moved = reorder(self._ledger.rows(), download_id, position)
        self._ledger.keep([replace(self._ledger.need(row_id), position=place) for row_id, place in moved.items()])
        return self._ledger.need(download_id)

    async def limit(self, download_id: str, rate_bytes_per_second: int) -> Download:
        """Limit the bandwidth of one, at once if it runs; 0 lifts the limit. Raises: NotFoundHereError, UsageError."""
        download = self._ledger.need(download_id)
        if rate_bytes_per_second < 0:
            raise UsageError("a bandwidth below 0 is none", hint="0 lifts the limit")
        if download.state.final:
            raise ConflictError(f"`{name_of(download)}` is {download.state.value}", hint="there is nothing to limit")
        rate = rate_bytes_per_second or None
        request = replace(download.request, limit_rate_bytes_per_second=rate)
        self._ledger.keep([replace(download, request=request)])
        self._runner.limit(download_id, rate)
        return self._ledger.need(download_id)

    def _queue_all(self, state: DownloadState) -> None:
        self._queue_again([row for row in self._ledger.rows() if row.state is state])

    def _go_on(self, download: Download, *, attempts: int = 0) -> Download:
        self._queue_again([download], attempts=attempts)
        return self._ledger.need(download.id)

    def _queue_again(self, downloads: Sequence[Download], *, attempts: int = 0) -> None:
        for row in downloads:
            self._waits.end(row.id)
        self._ledger.queue_again(downloads, attempts=attempts)
        self._runner.start_next()

    def _turn(self, download_id: str) -> asyncio.Lock:
        """Return what lets one thing after another be done to a download: what is told last counts last."""
        turn = self._turns.get(download_id)
        if turn is None:
            turn = self._turns[download_id] = asyncio.Lock()
        return turn

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
            await asyncio.gather(*map(self._hold, self._runner.running))
        others = self._ledger.active()
        gate = asyncio.Semaphore(_LOOKS_AT_ONCE)

        async def look(row: Download) -> None:
            async with gate:
                await self._judge(row, others)

        self._waits.look()
        waiting = [row for row in self._ledger.unfinished() if row.state is _S.WAITING]
        await asyncio.gather(*map(look, waiting))
        self._runner.start_next()

    async def _hold(self, download_id: str) -> None:
        turn = self._turn(download_id)
        if not turn.locked():  # else somebody brings it to rest already
            async with turn:
                with contextlib.suppress(ConflictError, NotFoundHereError):  # it ended meanwhile
                    await self._runner.stop(download_id, _S.WAITING)

    async def _judge(self, row: Download, others: Sequence[Download]) -> None:
        try:
            over = await self._waits.is_over(row, others)
        except StowError as err:  # its ComfyUI came back with settings that cannot be used
            _log.warning("%s: %s", name_of(row), err.message)
            return
        now = self._ledger.get(row.id)
        if over and now is not None and now.state is _S.WAITING and not self._turn(row.id).locked():
            self._go_on(now, attempts=now.attempts)


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
