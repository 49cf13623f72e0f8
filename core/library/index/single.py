"""Single files that are known to have come, changed or gone: no scan is needed for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ...records.library import LibraryFile, LibraryRoot
from ...records.model import FolderLayout
from .examine import look_into
from .index import LibraryIndex
from .keep import BATCH, NewFile, forget_files, save_files
from .roots import plan_roots
from .tables import relative_bytes
from .walk import entry_of


class SingleFiles:
    """Takes files into the index by their paths. Reads headers: call it in a thread."""

    def __init__(self, index: LibraryIndex, layout: Callable[[], FolderLayout]) -> None:
        self._index = index
        self._layout = layout

    def look_at(self, paths: Iterable[Path]) -> list[LibraryFile]:
        """Bring the rows of these paths up to date; what lies in no root, or is no model file, is passed by.

        Raises: StorageError.
        """
        plans = plan_roots(self._layout())
        roots = self._index.set_roots((plan.path, plan.folder_names) for plan in plans)
        suffixes = {root.id: tuple(plan.suffixes) for root, plan in zip(roots, plans, strict=True)}
        new: list[NewFile] = []
        gone: list[int] = []
        for path in paths:
            place = self._index.place_of(path, roots)
            if place is not None and place[1].lower().endswith(suffixes[place[0].id]):
                self._sort(*place, new, gone)
        forget_files(self._index, gone)
        ids: list[int] = []
        for start in range(0, len(new), BATCH):
            ids += save_files(self._index, new[start : start + BATCH])
        return self._index.get_all(ids)

    def _sort(self, root: LibraryRoot, relative: str, new: list[NewFile], gone: list[int]) -> None:
        known = self._index.at(root, relative)
        entry = entry_of(os.fsencode(root.path), relative_bytes(relative))
        if entry is None:
            gone += [known.id] if known is not None else []
            return
        seen = look_into(os.fsencode(root.path / relative), entry.size_bytes)  # unreadable: the next scan tells
        new.append(
            NewFile(
                root_id=root.id,
                entry=entry,
                columns=seen.columns,
                file_id=known.id if known is not None else None,
                added_at=time.time(),
                same_bytes=known is not None and (known.size_bytes, known.mtime_ns) == entry[1:3],
            )
        )
