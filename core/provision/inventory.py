"""The folders on disk, and of their files what the library's index knows."""

from __future__ import annotations

from ..library.index import LibraryIndex
from ..records.model import FolderLayout, ModelRef
from ..records.source import Digest
from ..workflow.status import LayoutInventory


class IndexedInventory(LayoutInventory):
    """What a loader would open, and files by their digest wherever these are known."""

    def __init__(self, layout: FolderLayout, index: LibraryIndex) -> None:
        super().__init__(layout)
        self._index = index

    def by_sha256(self, sha256: str) -> ModelRef | None:
        """Return a file with this digest that the index can reach, None when it knows none."""
        found = self._index.by_digest(Digest("sha256", sha256))
        refs = [ModelRef(file.folder_name, file.relative_path) for file in found]
        return next((ref for ref in refs if self.find(ref.folder_name, ref.relative_path) is not None), None)
