"""What the library holds, as plans of changes ask for it; digests that are computed here stay in the index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from ...library.changes.holdings import Tell
from ...library.index.index import LibraryIndex
from ...library.index.keep import set_facts
from ...library.reading.hashing import hash_file, hash_pieces, hash_sha256
from ...library.reading.proof import facts_of
from ...records.change import FileFacts
from ...records.library import LibraryFile
from ...units import MIB

#: A few places of a file cost a slow disk 40 ms (a seek each), which reads so much in that time.
_PIECES_COST_BYTES = 4 * MIB


class IndexHoldings:
    """One plan's view of the index (`library.changes.holdings.Holdings`)."""

    def __init__(self, index: LibraryIndex, cancelled: Callable[[], bool]) -> None:
        self._index = index
        self._cancelled = cancelled
        self._known: dict[tuple[str, FileFacts], str] = {}
        self._size: int | None = None
        self._files: dict[str, LibraryFile] = {}
        self._names: dict[tuple[int, int], list[LibraryFile]] = {}

    def of_size(self, size_bytes: int) -> list[str]:
        """Return the paths of the library's files of a size."""
        return [path for path, file in self._of_size(size_bytes).items() if file.available]

    def digest(self, path: str, facts: FileFacts) -> str:
        """Return the SHA-256 of a file in hex, reading it unless it is known. Raises: OSError, InterruptedError."""
        if (known := self._known.get((path, facts))) is None:
            known = self._known[path, facts] = self._digest(path, facts)
        return known

    def telling(self, files: Sequence[tuple[str, FileFacts]]) -> Tell:
        """Return `digest`, or where that would read more, a look at pieces of each file.

        Files whose digest is known cost nothing but for such a look, which costs a slow disk what reading
        `_PIECES_COST_BYTES` does.
        """
        size = files[0][1].size_bytes
        known = sum(self._indexed_digest(path, facts) is not None for path, facts in files)
        if known == len(files) or size <= _PIECES_COST_BYTES * max(1, known):
            return self.digest
        return lambda path, facts: hash_pieces(Path(path), facts.size_bytes)

    def _indexed_digest(self, path: str, facts: FileFacts) -> str | None:
        file = self._of_size(facts.size_bytes).get(path)
        return file.sha256 if file is not None and file.mtime_ns == facts.mtime_ns else None

    def _digest(self, path: str, facts: FileFacts) -> str:
        file = self._of_size(facts.size_bytes).get(path)
        if file is None or file.mtime_ns != facts.mtime_ns:
            return hash_sha256(Path(path), self._read)
        if file.sha256 is not None:
            return file.sha256
        found = hash_file(Path(path), self._read)
        if FileFacts.of(path) == facts:
            names = self._names[file.device, file.inode]
            set_facts(self._index, {each.id: facts_of(each, found) for each in names})
        return found.sha256

    def _of_size(self, size_bytes: int) -> dict[str, LibraryFile]:
        """Return the index's files of a size by path; a plan asks for one size after the other."""
        if self._size != size_bytes:
            self._size = size_bytes
            self._files = {str(file.path): file for file in self._index.by_size(size_bytes)}
            self._names = defaultdict(list)
            for file in self._files.values():
                self._names[file.device, file.inode].append(file)
        return self._files

    def _read(self, _count: int) -> None:
        if self._cancelled():
            raise InterruptedError("the plan was given up")
