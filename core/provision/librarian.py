"""The long works on the library: proof of everything, and the search for sources; one of each kind at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from ..downloads.network import Networks
from ..errors import StowError
from ..library.library import Library
from ..library.reading import Reader
from ..library.verify import verify
from ..records.download import ErrorInfo
from ..records.library import LibraryFile, LibraryFilter
from ..records.reading import IdentifyReport, Purpose, VerifyReport
from ..records.session import Session
from ..sources.catalogue import Catalogue
from .identify import find_sources, keep_sources

_log = logging.getLogger("comfystow.library")

T = TypeVar("T")


class Work(Generic[T]):
    """One kind of work: running or not, and how the last one ended."""

    def __init__(self) -> None:
        self.started_at: float | None = None
        self.report: T | None = None
        self.error: ErrorInfo | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """True while it goes on."""
        return self._task is not None

    def start(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Begin, unless it goes on already."""
        if self._task is None:
            self.started_at, self.report, self.error = time.time(), None, None
            self._task = asyncio.create_task(self._run(work), name="library-work")

    async def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """A worker's top level."""
        try:
            self.report = await work()
        except StowError as err:
            self.error = ErrorInfo.of(err)
        except Exception:  # noqa: BLE001 - whoever asked is not there any more
            _log.exception("work on the library broke")
            self.error = ErrorInfo.of(StowError("something unexpected happened", hint="the engine's log says what"))
        finally:
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
        networks: Networks,
        catalogue: Callable[[], Awaitable[Catalogue]],
    ) -> None:
        self.library = library
        self.reader = reader
        self.verifying: Work[VerifyReport] = Work()
        self.identifying: Work[IdentifyReport] = Work()
        self._networks = networks
        self._catalogue = catalogue

    @property
    def busy(self) -> bool:
        """True while something goes on that the engine's end would interrupt."""
        return self.library.busy or self.reader.busy or self.verifying.running or self.identifying.running

    async def close(self) -> None:
        """Stop all; what was to be read is read by the next engine."""
        await self.reader.close()
        await self.verifying.stop()
        await self.identifying.stop()

    async def cancel(self) -> None:
        """Stop all for good."""
        await self.reader.cancel()
        await self.verifying.stop()
        await self.identifying.stop()

    def verify(self, *, headers_only: bool, everything: bool) -> None:
        """Begin to prove the library."""
        self.verifying.start(
            lambda: verify(self.library, self.reader, headers_only=headers_only, everything=everything)
        )

    def identify(self, session: Session | None) -> None:
        """Begin to look for the sources of unknown files."""
        self.identifying.start(lambda: self._identify(session))

    async def _identify(self, session: Session | None) -> IdentifyReport:
        begun, library = time.monotonic(), self.library
        await library.scan()
        unread = await self._unidentified(missing_digest=True)
        read = await self.reader.read(unread, Purpose.HASH)
        files = [file for file in await self._unidentified() if file.sha256 is not None]
        network = self._networks.of(session)
        found = await find_sources(files, await self._catalogue(), network, self._networks.credentials(session))
        identified = await library.in_thread(lambda: keep_sources(library.index, files, found.sources))
        library.news(file.folder_name for file in files if file.sha256 in found.sources)
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

    async def _unidentified(self, *, missing_digest: bool = False) -> list[LibraryFile]:
        wanted = LibraryFilter(unidentified=True, missing_digest=missing_digest)
        files = await self.library.in_thread(lambda: self.library.index.each(wanted))
        return [file for file in files if file.available and file.damaged is None]
