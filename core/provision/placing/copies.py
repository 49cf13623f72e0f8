"""Where the bytes of a file that is asked for are already: the library's index knows, and the queue's history."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from ...downloads.store import DownloadStore
from ...errors import StorageError
from ...library.index.index import LibraryIndex
from ...records.source import ResolvedFile

_log = logging.getLogger("comfystow.library")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Looks in both; who links one of them compares its bytes first."""

    store: DownloadStore
    index: LibraryIndex

    def __call__(self, file: ResolvedFile) -> list[Path]:
        """Return the paths, without a look at the disk; nothing for a file whose digest is not known."""
        if file.digest is None:
            return []
        paths = [Path(row.dest_path) for row in self.store.completed_with(file.digest) if row.dest_path is not None]
        try:
            paths += [found.path for found in self.index.by_digest(file.digest)]
        except StorageError as err:  # the file is fetched then
            _log.warning("%s", err.message)
        return list(dict.fromkeys(paths))
