"""What the library holds, as plans of changes ask for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ...records.change import FileFacts

#: Says of a file what files of its size that hold other bytes do not say. Raises: OSError, InterruptedError.
Tell = Callable[[str, FileFacts], str]


class Holdings(Protocol):
    """The library's files, and what tells any files apart."""

    def of_size(self, size_bytes: int) -> list[str]:
        """Return the paths of its files of a size."""

    def digest(self, path: str, facts: FileFacts) -> str:
        """Return the SHA-256 of any file in hex, reading it if need be. Raises: OSError, InterruptedError."""

    def telling(self, files: Sequence[tuple[str, FileFacts]]) -> Tell:
        """Return what takes the least reading to tell files of one size apart.

        Files that it says the same of may still differ: only their digests prove that they are equal.
        """
