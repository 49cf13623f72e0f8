"""The queue: takes requests, runs as many as it may, keeps and announces every change.

All of it happens on the engine's loop; bytes move on the transfer engine's own thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ConflictError, NotFoundHereError, StowError
from ..records.download import MOVES, Download, DownloadRequest, DownloadState, ErrorInfo, WaitingFor
from ..records.session import Session
from ..transfer.job import TransferProgress
from .announce import Announcer
from .outcome import after_error
from .schedule import expired_history, in_order, is_busy, next_runnable, position_at
from .store import DownloadStore
from .waiting import Causes, may_go_on
from .worker import Worker

_log = logging.getLogger("comfystow.downloads")

_S = DownloadState


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """The numbers of the queue."""

    parallel_downloads: int = 3
    pause_while_generating: bool = False
    tick_seconds: float = 1.0
    keep_finished: int = 500


class DownloadManager:
    """The one queue of an engine. `check` refuses a request that could never work, before it is taken."""

    def __init__(
        self,
        *,
        store: DownloadStore,
        worker: Worker,
        causes: Causes,
        limits: Callable[[], QueueLimits],
        announcer: Announcer,
        check: Callable[[DownloadRequest, Session | None], Any],
        discard: Callable[[Download], None],
    ) -> None:
        self._store = store
        self._worker = worker
        self._causes = causes
        self._limits = limits
        self._announcer = announcer
        self._check = check
        self._discard = discard
        self._downloads: dict[str, Download] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, DownloadState] = {}  # what a running one was told to become
        self._marks: dict[str, object] = {}  # how the cause looked when a download began to wait
        self._ticker: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._closed = False

    # Life

    def open(self) -> None:
        """Read the queue; what was under way when the last engine ended is queued again."""
        for download in self._store.load():
            again = download.state.active or download.state is _S.WAITING
            # A wait is judged anew: the token may have come while no engine ran.
            self._downloads[download.id] = _queued(download) if again else download
        self._ticker = asyncio.create_task(self._tick_forever(), name="downloads-tick")
        self._start_next()

    async def close(self) -> None:
        """Stop all that runs; it is queued for the next engine, and no byte is lost."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        for identity in list(self._tasks):
            self._wanted.setdefault(identity, _S.QUEUED)
            self._tasks[identity].cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._announcer.flush()
        self._store.close()

    # Reading

    @property
    def busy(self) -> bool:
        """True while something goes on or would go on by itself."""
        return is_busy(self._downloads.values())

    def list(self) -> list[Download]:
        """Return all, in order."""
        return in_order(self._downloads.values())

    def get(self, identity: str) -> Download | None:
        """Return one."""
        return self._downloads.get(identity)

    async def wait(self, identity: str) -> Download:
        """Wait until a download is final. Raises: NotFoundHereError."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._need(identity).state.final)
        return self._need(identity)

    # Requests

    async def submit(self, request: DownloadRequest, session: Session | None = None) -> Download:
        """Take a request; the same file again gives the same download, started again where it had ended.

        Raises: StowError: it could never work.
        """
        await self._check(request, session)
        known = self._same(request)
        if known is not None and not (known.state.final and self._must_run_again(known)):
            return known
        session_id = session.server_id if session is not None else None
        if known is not None:
            return self._enqueue(replace(known, request=request, session_id=session_id))
        last = max((item.position for item in self._downloads.values()), default=0.0)
        download = Download(
            id=uuid.uuid4().hex[:12],
            request=request,
            state=_S.QUEUED,
            source=self._worker.resolver.parse(request.source).__str__(),
            session_id=session_id,
            folder_name=request.folder_name,
            filename=request.filename,
            position=last + 1.0,
            created_at=time.time(),
        )
        self._keep([download])
        self._start_next()
        return self._need(download.id)

    def _same(self, request: DownloadRequest) -> Download | None:
        source = str(self._worker.resolver.parse(request.source))
        key = (source, request.folder_name, request.subfolder, request.filename)
        return next((item for item in self.list() if self._key(item) == key), None)

    def _key(self, download: Download) -> tuple[str, str | None, str | None, str | None]:
        request = download.request
        source = str(self._worker.resolver.parse(request.source))
        return source, request.folder_name, request.subfolder, request.filename

    def _must_run_again(self, download: Download) -> bool:
        return download.state is not _S.COMPLETED or not self._causes.file_is_there(download)

    async def pause(self, identity: str) -> Download:
        """Stop and keep the part."""
        return await self._stop(identity, _S.PAUSED)

    async def cancel(self, identity: str) -> Download:
        """Stop and remove the part."""
        download = await self._stop(identity, _S.CANCELLED)
        if download.state is _S.CANCELLED:
            await asyncio.to_thread(self._discard, download)
        return download

    async def resume(self, identity: str) -> Download:
        """Let a paused or waiting one go on."""
        download = self._need(identity)
        if download.state in {_S.PAUSED, _S.WAITING}:
            return self._enqueue(download)
        if download.state.final:
            raise ConflictError(f"a {download.state.value} download cannot be resumed", hint="retry it")
        return download

    async def retry(self, identity: str) -> Download:
        """Start a finished one again."""
        download = self._need(identity)
        if download.state.final or download.state in {_S.PAUSED, _S.WAITING}:
            return self._enqueue(download)
        return download

    async def pause_all(self) -> None:
        """Pause everything that is not finished."""
        await asyncio.gather(*(self.pause(item.id) for item in self.list() if not item.state.final))

    async def resume_all(self) -> None:
        """Resume everything that is paused."""
        for item in self.list():
            if item.state is _S.PAUSED:
                self._enqueue(item)

    async def retry_failed(self) -> None:
        """Start everything again that failed."""
        for item in self.list():
            if item.state is _S.FAILED:
                self._enqueue(item)

    async def move(self, identity: str, position: int) -> Download:
        """Put a download at an index of the queue; 0 is first."""
        download = self._need(identity)
        others = [item for item in self.list() if item.id != identity and not item.state.final]
        self._keep([replace(download, position=position_at(others, position))])
        self._start_next()
        return self._need(identity)

    # Inside

    def _need(self, identity: str) -> Download:
        download = self._downloads.get(identity)
        if download is None:
            raise NotFoundHereError(f"there is no download `{identity[:60]}`")
        return download

    def _enqueue(self, download: Download) -> Download:
        self._keep([_queued(download)])
        self._start_next()
        return self._need(download.id)

    async def _stop(self, identity: str, state: DownloadState) -> Download:
        download = self._need(identity)
        if download.state is state or (download.state.final and state is _S.PAUSED) or download.state is _S.COMPLETED:
            return download
        task = self._tasks.get(identity)
        if task is None:
            return self._change(identity, state)
        self._wanted[identity] = state
        task.cancel()
        await asyncio.wait([task])
        return self._need(identity)

    def _start_next(self) -> None:
        if self._closed:
            return
        limits = self._limits()
        hold = limits.pause_while_generating and self._causes.generating() is True
        for download in next_runnable(self._downloads.values(), at_once=limits.parallel_downloads, hold=hold):
            if download.id in self._tasks:
                continue  # its last run is just ending
            self._change(download.id, _S.RESOLVING, started_at=download.started_at or time.time())
            self._tasks[download.id] = asyncio.create_task(self._run(download.id), name=f"download-{download.id}")

    async def _run(self, identity: str) -> None:
        def report(state: DownloadState, **changes: object) -> Download:
            return self._change(identity, state, **changes)

        try:
            await self._worker.run(self._need(identity), report, lambda progress: self._progress(identity, progress))
        except asyncio.CancelledError:
            self._change(identity, self._wanted.get(identity, _S.QUEUED), rate_bytes_per_second=None, connections=None)
        except StowError as err:
            self._failed(identity, err)
        except Exception:  # a worker's top level: the queue outlives every defect
            _log.exception("download %s broke", identity)
            self._failed(identity, StowError("something unexpected happened", hint="the engine's log says what"))
        finally:
            self._wanted.pop(identity, None)
            self._tasks.pop(identity, None)
            self._start_next()

    def _failed(self, identity: str, err: StowError) -> None:
        state, waiting_for = after_error(err)
        wanted = self._wanted.get(identity)
        if wanted is not None:  # it was told to stop, and broke on the way
            state, waiting_for = wanted, None
        download = self._need(identity)
        _log.info("download %s (%s): %s", identity, download.source, err.message)
        if waiting_for is not None:
            self._marks[identity] = self._causes.mark(download, waiting_for)
        self._change(
            identity,
            state,
            error=ErrorInfo.of(err),
            waiting_for=waiting_for,
            attempts=download.attempts + 1,
            rate_bytes_per_second=None,
            connections=None,
        )

    def _progress(self, identity: str, progress: TransferProgress) -> None:
        """Take a transfer's progress: persisted only with the next change of state, the part has its own journal."""
        download = self._downloads.get(identity)
        if download is None or identity in self._wanted or not download.state.active:
            return
        if progress.phase is not download.state:
            download = self._change(identity, progress.phase)
        self._downloads[identity] = replace(
            download,
            bytes_done=progress.bytes_done,
            bytes_total=progress.bytes_total if progress.bytes_total is not None else download.bytes_total,
            rate_bytes_per_second=progress.rate_bytes_per_second,
            connections=progress.connections,
            note=progress.note,
        )
        self._announcer.changed(self._downloads[identity])

    def _change(self, identity: str, state: DownloadState, **changes: object) -> Download:
        """Move to a state, persist, announce. A move that the table does not know is a defect."""
        download = self._need(identity)
        if state is not download.state and state not in MOVES[download.state]:
            raise ConflictError(f"a {download.state.value} download cannot become {state.value}")
        if state is not _S.WAITING:
            changes.setdefault("waiting_for", None)
        if state.final:
            changes["finished_at"] = time.time()
        changed = replace(download, state=state, **changes)  # type: ignore[arg-type]
        self._keep([changed])
        return changed

    def _keep(self, downloads: Iterable[Download]) -> None:
        """Persist, then announce: what anybody has seen is on disk."""
        kept = list(downloads)
        self._store.save(kept)
        for download in kept:
            before = self._downloads.get(download.id)
            self._downloads[download.id] = download
            self._announcer.changed(download, important=before is None or before.state is not download.state)
        self._forget_old()
        if any(download.state.final for download in kept):
            asyncio.ensure_future(self._notify())  # noqa: RUF006 - it ends at once

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _forget_old(self) -> None:
        old = expired_history(self._downloads.values(), self._limits().keep_finished)
        if old:
            self._store.remove(old)
            for identity in old:
                del self._downloads[identity]

    # Waiting

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self._limits().tick_seconds)
            try:
                await self._tick()
            except Exception:  # a worker's top level
                _log.exception("the queue's clock stumbled")

    async def _tick(self) -> None:
        """Let those go on whose cause has gone, and hold those that generation displaces."""
        if self._limits().pause_while_generating and self._causes.generating() is True:
            for identity in list(self._tasks):
                await self._hold(identity)
        for download in self.list():
            if download.state is _S.WAITING:
                mark = self._marks.get(download.id)
                if await asyncio.to_thread(may_go_on, download, mark, self._causes):
                    self._marks.pop(download.id, None)
                    self._enqueue(self._need(download.id))
        self._start_next()

    async def _hold(self, identity: str) -> None:
        await self._stop(identity, _S.WAITING)
        if self._need(identity).state is _S.WAITING:
            self._change(identity, _S.WAITING, waiting_for=WaitingFor.GENERATION)


def _queued(download: Download) -> Download:
    return replace(
        download,
        state=_S.QUEUED,
        waiting_for=None,
        error=None,
        note=None,
        rate_bytes_per_second=None,
        connections=None,
        finished_at=None,
    )
