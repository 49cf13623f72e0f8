"""The queue on disk. What `save` has returned from survives `kill -9`; `durable` survives a power loss too."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from ..database import database_path, migrate, open_database
from ..errors import StorageError, UsageError
from ..records.download import Download
from ..records.json import from_json, to_json
from ..records.source import Digest

_log = logging.getLogger("comfystow.downloads")

_STEPS = (
    """CREATE TABLE downloads (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        digest TEXT,
        record TEXT NOT NULL
    )""",
    "CREATE INDEX downloads_by_digest ON downloads (digest)",
)


class DownloadStore:
    """The rows of the queue and its history. One engine has it open at a time."""

    def __init__(self, state_dir: Path, *, network: bool | None = None) -> None:
        self.path = database_path(state_dir, network=network)
        self._wal = self.path.parent == state_dir
        self._connection = open_database(self.path, wal=self._wal)
        try:
            migrate(self._connection, "downloads", _STEPS)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def load(self) -> list[Download]:
        """Return all rows; one that cannot be read is left where it is, and told."""
        rows = []
        for download_id, record in self._connection.execute("SELECT id, record FROM downloads"):
            try:
                rows.append(from_json(Download, json.loads(record), strict=False))
            except (ValueError, UsageError) as err:
                _log.error("download %s cannot be read back: %s", download_id, err)
        return rows

    def save(self, downloads: Iterable[Download], *, durable: bool = False) -> None:
        """Write rows, all or none. Raises: StorageError."""
        values = [
            (
                download.id,
                download.state.value,
                str(download.digest) if download.digest is not None else None,
                json.dumps(to_json(download)),
            )
            for download in downloads
        ]
        try:
            # A committed WAL frame is in the page cache and outlives the process; FULL also waits for the disk.
            # Without WAL only FULL keeps the file whole (sqlite.org/pragma.html#pragma_synchronous).
            self._connection.execute(f"PRAGMA synchronous={'FULL' if durable or not self._wal else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("INSERT OR REPLACE INTO downloads VALUES (?, ?, ?, ?)", values)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as err:
            raise StorageError(
                f"the queue cannot be written: {err}", hint=f"is the volume of `{self.path.parent}` full or read-only?"
            ) from err

    def remove(self, download_ids: Iterable[str]) -> None:
        """Forget rows. Raises: StorageError."""
        try:
            self._connection.executemany(
                "DELETE FROM downloads WHERE id = ?", [(download_id,) for download_id in download_ids]
            )
        except sqlite3.Error as err:
            raise StorageError(f"the history cannot be shortened: {err}") from err

    def completed_with(self, digest: Digest) -> list[Download]:
        """Return the completed downloads of a content, to be linked instead of fetched again."""
        rows = self._connection.execute(
            "SELECT record FROM downloads WHERE digest = ? AND state = 'completed'", (str(digest),)
        )
        return [from_json(Download, json.loads(record), strict=False) for (record,) in rows]
