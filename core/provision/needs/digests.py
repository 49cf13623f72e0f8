"""SHA-256 of files at rest: what the library's index knows of the very state of a file, else computed once for it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from ...library.index.index import LibraryIndex
from ..placing.present import sha256_of

_MOST = 100_000


class FileDigests:
    """Remembers digests for one engine's life. A file whose bytes are changed gets a new time, and is read again."""

    def __init__(self, index: LibraryIndex) -> None:
        self._index = index
        self._known: dict[tuple[str, int, int, int, int], str] = {}

    async def of(self, path: Path) -> str:
        """Return the hex digits; reads the whole file when it must, and stops when its caller goes. Raises: OSError."""
        left = threading.Event()
        try:
            return await asyncio.to_thread(self._read, path, left)
        finally:
            left.set()

    def _read(self, path: Path, left: threading.Event) -> str:
        stat = path.stat()
        key = (str(path), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if key not in self._known:
            file = self._index.by_path(path)
            if (
                file is not None
                and file.sha256
                and (file.size_bytes, file.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
            ):
                return file.sha256
            digest = sha256_of(path, left.is_set).hex
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = digest
        return self._known[key]
