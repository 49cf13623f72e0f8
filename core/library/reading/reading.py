"""Reads whole files, one after the other, in a thread of low priority: digests of what is new, proof of what is old.

What is still to be read is a table, so an engine that ends, or is killed, loses the file it was at and no other: the
next engine begins that file again. (The state of a SHA-256 cannot be taken out of hashlib, and a state of our own
would be slower than reading again what at most one file holds.)
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ...errors import StorageError
from ...records.library import LibraryFile
from ...records.reading import Purpose, ReadProgress, ReadReport
from ..background import lower_priority
from ..index.index import LibraryIndex
from .proof import Outcome, read_one
from .wanted import Wanted

_log = logging.getLogger("comfystow.library")

_HOLD_CHECK_SECONDS = 0.25
#: Between two counts of what is left: of 100,000 files each takes milliseconds.
_COUNT_SECONDS = 1.0


class Reader:
    """The one reader of an engine. On its loop, but for the reading.

    `hold` tells whether reading has to wait now; `moved_on` is called while it reads, and when rows have changed.
    """

    def __init__(
        self,
        index: LibraryIndex,
        *,
        hold: Callable[[], bool],
        moved_on: Callable[[], None],
    ) -> None:
        self._index = index
        self._wanted = Wanted(index)
        self._hold = hold
        self._moved_on = moved_on
        self.progress: ReadProgress | None = None
        self._counted_at = float("-inf")
        self._reports: dict[Purpose, ReadReport] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="library-read", initializer=lower_priority)
        self._may_read = threading.Event()
        self._stop = threading.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Go on with what the last engine left."""
        if self._wanted.any():
            self._begin()

    async def close(self) -> None:
        """Stop within the file; what is left is read by the next engine."""
        self._closed = True
        self._interrupt()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)

    @property
    def busy(self) -> bool:
        """True while something is to be read."""
        return self._task is not None

    async def read(self, files: Iterable[LibraryFile], purpose: Purpose) -> ReadReport:
        """Read files, and wait until they and all before them are read. Raises: StorageError."""
        chosen = list(files)
        self._wanted.add(((file.id, file.size_bytes) for file in chosen), purpose)
        self._reports[purpose] = ReadReport()
        self._begin()
        while self._task is not None and self._wanted.any(purpose):
            await asyncio.wait([self._task], timeout=0.1)
        return self._reports[purpose]

    async def cancel(self) -> None:
        """Drop what is still to be read."""
        self._wanted.clear()
        self._interrupt()
        for purpose, report in self._reports.items():
            self._reports[purpose] = replace(report, cancelled=True)
        if self._task is not None:
            await asyncio.wait([self._task])

    def _interrupt(self) -> None:
        self._stop.set()
        self._may_read.set()

    def _begin(self) -> None:
        if self._task is None and not self._closed:
            self._stop.clear()
            self._task = asyncio.create_task(self._run(), name="library-read")

    async def _run(self) -> None:
        """A worker's top level: one file after the other until none is left."""
        holder = asyncio.create_task(self._watch_hold(), name="library-hold")
        try:
            while not self._stop.is_set() and (job := self._wanted.next()) is not None:
                file_id, purpose = job
                if time.monotonic() - self._counted_at >= _COUNT_SECONDS or self.progress is None:
                    self._counted_at = time.monotonic()
                    self.progress = self._progress(purpose)
                outcome = await self._read_one(file_id, purpose)
                if outcome is not None:
                    self._note(file_id, purpose, outcome)
        except StorageError as err:
            _log.error("reading ends: %s", err.message)
            self._wanted.forget_all()
        except Exception:  # noqa: BLE001 - nobody waits for a reading that the last engine left
            _log.exception("reading broke")
            self._wanted.forget_all()
        finally:
            holder.cancel()
            self.progress = None
            self._task = None
            self._moved_on()
            if self._stop.is_set() and not self._closed and self._wanted.any():
                self._begin()  # asked for after a cancel

    async def _read_one(self, file_id: int, purpose: Purpose) -> Outcome | None:
        loop = asyncio.get_running_loop()

        def read(count: int) -> None:
            self._may_read.wait()
            if self._stop.is_set():
                raise InterruptedError("stopped")
            loop.call_soon_threadsafe(self._count, count)

        def work() -> Outcome:
            read(0)
            return read_one(self._index, file_id, purpose, read)

        try:
            return await loop.run_in_executor(self._thread, work)
        except InterruptedError:
            return None

    def _count(self, count: int) -> None:
        if self.progress is not None:
            self.progress = replace(self.progress, bytes_done=self.progress.bytes_done + count)
            self._moved_on()

    def _note(self, file_id: int, purpose: Purpose, outcome: Outcome) -> None:
        done = [file_id, *outcome.same]
        self._wanted.done(done, purpose)
        report = self._reports.setdefault(purpose, ReadReport())
        self._reports[purpose] = replace(
            report,
            files=report.files + len(done) * outcome.read,
            bytes=report.bytes + outcome.bytes,
            damaged=report.damaged + (tuple(done) if outcome.damaged else ()),
            unread=report.unread + (() if outcome.read else tuple(done)),
        )
        self._moved_on()

    def _progress(self, purpose: Purpose) -> ReadProgress:
        files, size = self._wanted.left()
        now = self.progress
        if now is None:
            return ReadProgress(purpose=purpose, files_total=files, bytes_total=size, held=self._hold())
        # What is added meanwhile makes the whole larger; what turned out to be read already counts as done.
        return replace(
            now,
            purpose=purpose,
            files_done=max(0, now.files_total - files),
            files_total=max(now.files_total, files),
            bytes_done=max(0, now.bytes_total - size),
            bytes_total=max(now.bytes_total, size),
        )

    async def _watch_hold(self) -> None:
        while True:
            held = self._hold() and not self._stop.is_set()
            if held:
                self._may_read.clear()
            else:
                self._may_read.set()
            if self.progress is not None and self.progress.held != held:
                self.progress = replace(self.progress, held=held)
                self._moved_on()
            await asyncio.sleep(_HOLD_CHECK_SECONDS)
