"""The long works on the library: proof of everything, and the search for sources; one of each kind at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

from ...downloads.network import Networks
from ...errors import ConflictError, StowError
from ...library.library import Library
from ...library.reading.reading import Reader
from ...library.verify import verify, verify_files
from ...library.watch import LibraryWatch
from ...records.download import ErrorInfo
from ...records.library import LibraryFile, LibraryFilter, ScanReport
from ...records.model import FolderLayout
from ...records.reading import IdentifyReport, Purpose, VerifyReport
from ...records.session import Session
from ...sources.catalogue import Catalogue
from .identify import find_sources, keep_sources
from .metrics import LibraryNumbers

_log = logging.getLogger("comfystow.library")

T = TypeVar("T")

_MOST_WAITING = 100


class Work(Generic[T]):
    """One kind of work, one after the other: whether it goes on, and how the last one ended."""

    def __init__(self) -> None:
        self.started_at: float | None = None
        self.report: T | None = None
        self.error: ErrorInfo | None = None
        self._task: asyncio.Task[None] | None = None
        self._keys: list[object] = []  # of what goes on, and of what waits
        self._waiting: list[Callable[[], Coroutine[Any, Any, T]]] = []

    @property
    def running(self) -> bool:
        """True while it goes on."""
        return self._task is not None

    def start(self, key: object, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Begin, after what goes on already; the same work is not begun twice. Raises: ConflictError: too many wait."""
        if key in self._keys:
            return
        if len(self._keys) >= _MOST_WAITING:
            raise ConflictError("too much of this waits already", hint="wait, or cancel it")
        self._keys.append(key)
        self._waiting.append(work)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="library-work")

    async def _run(self) -> None:
        """A worker's top level."""
        try:
            while self._waiting:
                self.started_at, self.report, self.error = time.time(), None, None
                try:
                    self.report = await self._waiting.pop(0)()
                except StowError as err:
                    self.error = ErrorInfo.of(err)
                except Exception:  # noqa: BLE001 - whoever asked is not there any more
                    _log.exception("work on the library broke")
                    unexpected = StowError("something unexpected happened", hint="the engine's log says what")
                    self.error = ErrorInfo.of(unexpected)
                self._keys.pop(0)
        finally:
            self._keys.clear()
            self._waiting.clear()
            self._task = None

    async def stop(self) -> None:
        """Cancel it, and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


class Librarian:
    """Starts the works, and says how they are."""

    def __init__(
        self,
        library: Library,
        reader: Reader,
        watch: LibraryWatch,
        networks: Networks,
        catalogue: Callable[[], Awaitable[Catalogue]],
    ) -> None:
        self.library = library
        self.watch = watch
        self.numbers = LibraryNumbers(library.index)
        self.reader = reader
        self.scanning: Work[ScanReport] = Work()
        self.verifying: Work[VerifyReport] = Work()
        self.identifying: Work[IdentifyReport] = Work()
        self._networks = networks
        self._catalogue = catalogue
        self._attended: tuple[FolderLayout, ...] = ()

    @property
    def busy(self) -> bool:
        """True while something goes on that the engine's end would interrupt."""
        return self.library.busy or self.reader.busy or self.verifying.running or self.identifying.running

    async def close(self) -> None:
        """Stop all; what was to be read is read by the next engine."""
        await self.watch.stop()
        await self.reader.close()
        await self.scanning.stop()
        await self.verifying.stop()
        await self.identifying.stop()

    def attend(self, layouts: tuple[FolderLayout, ...]) -> None:
        """Follow the folders of the ComfyUIs that are attached now; without one, follow none.

        Called whenever a session comes, goes or tells something of itself.
        """
        if layouts == self._attended:
            return
        self._attended = layouts
        if not layouts:
            self.watch.leave()
        elif self.watch.following:
            self.library.scan_soon()  # other folders, perhaps
        else:
            self.watch.start()

    async def cancel(self) -> None:
        """Stop all for good."""
        await self.reader.cancel()
        await self.verifying.stop()
        await self.identifying.stop()

    def scan(self) -> None:
        """Begin a scan that somebody asks for and does not wait for. Raises: ConflictError."""
        self.scanning.start("scan", self.library.scan)

    def verify(self, *, headers_only: bool, everything: bool, ids: tuple[int, ...] | None = None) -> None:
        """Begin to prove the library, or some of its files. Raises: ConflictError."""
        if ids is not None:
            self.verifying.start(("files", ids), lambda: verify_files(self.library, self.reader, ids))
            return
        self.verifying.start(
            ("all", headers_only, everything),
            lambda: verify(self.library, self.reader, headers_only=headers_only, everything=everything),
        )

    def identify(self, session: Session | None, ids: tuple[int, ...] | None = None) -> None:
        """Begin to look for the sources of unknown files, or of these. Raises: ConflictError."""
        self.identifying.start(ids, lambda: self._identify(session, ids))

    async def _identify(self, session: Session | None, ids: tuple[int, ...] | None) -> IdentifyReport:
        begun, library = time.monotonic(), self.library
        if ids is None:
            await library.scan()
        chosen = await self._chosen(ids)
        read = await self.reader.read([file for file in chosen if file.sha256 is None], Purpose.HASH)
        chosen = await self._chosen([file.id for file in chosen])
        files = [file for file in chosen if file.sha256 is not None]
        network = self._networks.of(session)
        found = await find_sources(files, await self._catalogue(), network, self._networks.credentials(session))
        identified = await library.in_thread(lambda: keep_sources(library.index, files, found.sources))
        library.moved_on()
        return IdentifyReport(
            asked=len(files),
            identified=identified,
            unknown=len(files) - identified,
            hashed=read.files,
            failed=tuple(found.failed),
            cancelled=read.cancelled,
            seconds=time.monotonic() - begun,
            finished_at=time.time(),
        )

    async def _chosen(self, ids: Iterable[int] | None) -> list[LibraryFile]:
        """Return files of a choice that can be read; without one, those whose source is not known."""
        index = self.library.index
        files = await self.library.in_thread(
            lambda: index.each(LibraryFilter(unidentified=True)) if ids is None else index.get_all(ids)
        )
        return [file for file in files if file.available and file.damaged is None]
