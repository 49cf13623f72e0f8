"""What the library holds, as plans of changes ask for it; digests that are computed here stay in the index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..library.hashing import hash_file
from ..library.index import LibraryIndex
from ..library.proof import read_one
from ..records.change import FileFacts
from ..records.reading import Purpose


class IndexHoldings:
    """One plan's view of the index (`library.organise.Holdings`)."""

    def __init__(self, index: LibraryIndex, cancelled: Callable[[], bool]) -> None:
        self._index = index
        self._cancelled = cancelled
        self._known: dict[FileFacts, str] = {}

    def of_size(self, size_bytes: int) -> list[str]:
        """Return the paths of the library's files of a size."""
        return [str(file.path) for file in self._index.by_size(size_bytes) if file.available]

    def digest(self, path: str, facts: FileFacts) -> str:
        """Return the SHA-256 of a file in hex, reading it unless it is known. Raises: OSError, InterruptedError."""
        if (known := self._known.get(facts)) is not None:
            return known
        file = self._index.by_path(Path(path))
        if file is not None and (file.size_bytes, file.mtime_ns) != (facts.size_bytes, facts.mtime_ns):
            file = None
        if file is not None and file.sha256 is None:
            read_one(self._index, file.id, Purpose.HASH, self._read)
            file = self._index.get(file.id)
        known = file.sha256 if file is not None else None
        digest = self._known[facts] = known or hash_file(Path(path), self._read).sha256
        return digest

    def _read(self, _count: int) -> None:
        if self._cancelled():
            raise InterruptedError("the plan was given up")
