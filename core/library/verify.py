"""Proof that the library is whole: every header against its file's length, then the bytes of what has a digest."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..records.library import LibraryFile, LibraryFilter
from ..records.reading import Purpose, ReadReport, VerifyReport
from .library import Library
from .reading.reading import Reader


async def verify(
    library: Library, reader: Reader, *, headers_only: bool = False, everything: bool = False
) -> VerifyReport:
    """Check all files that can be reached; `everything` also reads those whose digest is not known, and learns it.

    Raises: StorageError.
    """
    begun = time.monotonic()
    scanned = await library.check_headers()
    read = ReadReport()
    if not headers_only:
        files = await library.in_thread(lambda: to_read(library.index.each(LibraryFilter()), everything=everything))
        read = await reader.read(files, Purpose.VERIFY)
    damaged = await library.in_thread(lambda: library.index.each(LibraryFilter(damaged=True)))
    return VerifyReport(
        headers=scanned.files,
        read=read.files,
        read_bytes=read.bytes,
        damaged=tuple(file.id for file in damaged),
        unread=read.unread,
        cancelled=read.cancelled,
        seconds=time.monotonic() - begun,
        finished_at=time.time(),
    )


async def verify_files(library: Library, reader: Reader, ids: Iterable[int]) -> VerifyReport:
    """Check some files, headers and bytes; a digest that is not known is learnt. Raises: StorageError."""
    begun, index = time.monotonic(), library.index
    files = await library.in_thread(lambda: index.get_all(ids))
    files = await library.look_at(file.path for file in files if file.available)
    read = await reader.read(files, Purpose.VERIFY)
    seen = await library.in_thread(lambda: index.get_all(file.id for file in files))
    return VerifyReport(
        headers=len(files),
        read=read.files,
        read_bytes=read.bytes,
        damaged=tuple(file.id for file in seen if file.damaged is not None),
        unread=read.unread,
        cancelled=read.cancelled,
        seconds=time.monotonic() - begun,
        finished_at=time.time(),
    )


def to_read(files: list[LibraryFile], *, everything: bool) -> list[LibraryFile]:
    """Return the files worth reading (pure): what its header calls damaged needs no further proof."""
    return [
        file
        for file in files
        if file.available
        and (everything or file.sha256 is not None)
        and (file.damaged is None or file.sha256 is not None)
    ]
