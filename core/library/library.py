"""The library of one engine: its index, and who may scan when. On the engine's loop; the disk is read in a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..records.download import Download, Verified
from ..records.library import DigestOrigin, LibraryFile, ScanReport
from ..records.model import FolderLayout
from .index.index import LibraryIndex
from .index.keep import set_facts
from .index.roots import plan_roots
from .index.scan import Scanner
from .index.single import SingleFiles

_log = logging.getLogger("comfystow.library")

T = TypeVar("T")

#: Looks at files that are being written take at most this share of the time.
_SHARE = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; `total` 0 is unknown."""

    done: int = 0
    total: int = 0


class Library:
    """Files at rest. `layout` gives the union of what the attached ComfyUIs look in."""

    def __init__(
        self,
        index: LibraryIndex,
        *,
        layout: Callable[[], FolderLayout],
        changed: Callable[[Iterable[str]], None],
        moved_on: Callable[[], None],
        settle_seconds: float,
    ) -> None:
        """`changed(folder_names)` is called after files came, went or changed, `moved_on` while a scan goes on."""
        self.index = index
        self.layout = layout
        self.last_scan: ScanReport | None = None
        self.scanning: Progress | None = None
        self.scanned = asyncio.Event()
        """Set after each scan; who waits for one clears it."""
        self.news = changed
        self.moved_on = moved_on
        self._settle_seconds = settle_seconds
        self.single = SingleFiles(index, layout)
        self.scanner = Scanner(index, settle_seconds)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="library")
        self._closing = threading.Event()
        self._everything = False
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[ScanReport] | None = None  # the turn that has not begun
        self._turns: set[asyncio.Task[ScanReport]] = set()
        self._second_look: asyncio.TimerHandle | None = None
        self._taking: set[asyncio.Task[None]] = set()
        self._unasked_for: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End what runs; what it has found so far is kept."""
        self._closing.set()
        if self._second_look is not None:
            self._second_look.cancel()
        turns = list(self._turns)
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, *self._taking, *self._unasked_for, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)
        self.index.close()

    @property
    def busy(self) -> bool:
        """True while a scan runs, or finished downloads are taken in."""
        return bool(self._turns or self._taking)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do something that reads the disk, after what was begun before."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # Scanning

    async def scan(self) -> ScanReport:
        """Look at all roots, as they are from now on; who asks while a scan runs gets the next one's report.

        Raises: StorageError.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._turn(), name="library-scan")
            self._turns.add(self._next)
            self._next.add_done_callback(self._turns.discard)
        return await asyncio.shield(self._next)

    async def _turn(self) -> ScanReport:
        async with self._one_at_a_time:
            self._next = None
            try:
                return await self._scan()
            finally:
                self.scanning = None
                self.moved_on()

    async def check_headers(self) -> ScanReport:
        """Scan, and read the headers of unchanged files too. Raises: StorageError."""
        self._everything = True
        return await self.scan()

    def scan_soon(self) -> None:
        """Begin a scan unless one is about to begin."""
        if self._closing.is_set() or self._next is not None:
            return
        task = asyncio.create_task(self._unasked(), name="library-unasked")
        self._unasked_for.add(task)
        task.add_done_callback(self._unasked_for.discard)

    async def _unasked(self) -> None:
        try:
            await self.scan()
        except Exception:  # noqa: BLE001 - a worker's top level: nobody waits for this scan
            _log.exception("the library could not be scanned")

    async def _scan(self) -> ScanReport:
        self.scanning = Progress()

        loop = asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            if self._closing.is_set():
                raise InterruptedError("the engine ends")
            self.scanning = Progress(done, total)
            loop.call_soon_threadsafe(self.moved_on)

        plans = plan_roots(self.layout())
        everything, self._everything = self._everything, False
        report = await self.in_thread(lambda: self.scanner.scan(plans, progress, everything=everything))
        self.last_scan = report
        self.scanned.set()
        if report.pending and self._second_look is None:
            # While a large file is written for minutes a large library is not looked at all the time.
            wait = max(self._settle_seconds, _SHARE * report.seconds) + 0.05
            self._second_look = loop.call_later(wait, self._look_again)
        if report.folders:
            self.news(report.folders)
        return report

    def _look_again(self) -> None:
        self._second_look = None
        self.scan_soon()

    # Single files

    def take_download(self, download: Download) -> None:
        """Take in a finished download with what is known of it; its bytes are not read again."""
        if download.dest_path is not None and not self._closing.is_set():
            task = asyncio.create_task(self._take(download, Path(download.dest_path)), name="library-download")
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _take(self, download: Download, path: Path) -> None:
        try:
            files = await self.in_thread(lambda: self._taken(download, path))
        except Exception:  # noqa: BLE001 - a worker's top level: the file is in its place, and the next scan finds it
            _log.exception("a download could not be taken into the library")
            return
        if files:
            self.news(tuple(sorted({file.folder_name for file in files})))

    def _taken(self, download: Download, path: Path) -> list[LibraryFile]:
        files = self.single.look_at([path])
        facts = facts_of_download(download)
        for file in files:
            better = {} if download.verified in {None, Verified.SIZE} and file.verified is not None else facts[1]
            set_facts(self.index, {file.id: {**facts[0], **better}})
        return files

    async def look_at(self, paths: Iterable[Path]) -> list[LibraryFile]:
        """Take in files that came, changed or went, without a scan; returns those that are there.

        What was known of a file with the same size and time stays known. Raises: StorageError.
        """
        wanted = list(paths)
        return await self.in_thread(lambda: self.single.look_at(wanted))


def facts_of_download(download: Download) -> tuple[dict[str, object], dict[str, object]]:
    """Return what a finished download tells of its file: origin and digest, and how far it is proven (pure)."""
    facts: dict[str, object] = {"source": download.source}
    digest = download.digest
    if digest is not None and digest.algorithm == "sha256":  # another one is the source's word alone
        facts |= {"sha256": digest.hex, "digest_origin": DigestOrigin.DOWNLOAD.value}
    return facts, {"verified": download.verified.value if download.verified is not None else None}
