"""The folders on disk, and of their files what the library's index knows."""

from __future__ import annotations

from collections.abc import Sequence

from ...library.index.index import LibraryIndex
from ...records.model import FolderLayout, ModelRef
from ...records.source import Digest
from ...workflow.status import LayoutInventory


class IndexedInventory(LayoutInventory):
    """What a loader would open, and files by their digest wherever these are known."""

    def __init__(self, layout: FolderLayout, index: LibraryIndex) -> None:
        super().__init__(layout)
        self._index = index

    def by_sha256(self, sha256: str) -> Sequence[ModelRef]:
        """Return the files that the index knows to have this digest."""
        found = self._index.by_digest(Digest("sha256", sha256))
        return [ModelRef(file.folder_name, file.relative_path) for file in found]
