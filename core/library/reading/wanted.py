"""What is still to be read, kept in the database so that the next engine goes on with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from ...errors import StorageError
from ...records.reading import Purpose
from ..index.index import LibraryIndex

STEPS = (
    """CREATE TABLE library_wanted (
        file_id INTEGER NOT NULL,
        purpose TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        PRIMARY KEY (file_id, purpose)
    ) WITHOUT ROWID""",
    "CREATE INDEX library_wanted_next ON library_wanted (purpose, size_bytes, file_id)",
)


class Wanted:
    """The list of one index; small files come first, so that much is known soon."""

    def __init__(self, index: LibraryIndex) -> None:
        """Raises: ConfigError: a newer version has written the list."""
        self._index = index
        index.migrate("library_reading", STEPS)

    def add(self, files: Iterable[tuple[int, int]], purpose: Purpose) -> None:
        """Add files `(id, size)`. Raises: StorageError."""
        rows = [(file_id, purpose.value, size) for file_id, size in files]
        with self._index.write() as connection:
            connection.executemany("INSERT OR IGNORE INTO library_wanted VALUES (?, ?, ?)", rows)

    def any(self, purpose: Purpose | None = None) -> bool:
        """Tell whether something is left, for one purpose or at all."""
        terms, values = ("purpose = ?", [purpose.value]) if purpose is not None else ("1", [])
        return bool(self._index.rows(f"SELECT 1 FROM library_wanted WHERE {terms} LIMIT 1", values))  # noqa: S608

    def next(self) -> tuple[int, Purpose] | None:
        """Return the next one."""
        rows = self._index.rows(
            "SELECT file_id, purpose FROM library_wanted ORDER BY purpose, size_bytes, file_id LIMIT 1"
        )
        return (rows[0][0], Purpose(rows[0][1])) if rows else None

    def left(self) -> tuple[int, int]:
        """Return how many files and bytes are left."""
        files, size = self._index.rows("SELECT count(*), coalesce(sum(size_bytes), 0) FROM library_wanted")[0]
        return files, size

    def done(self, file_ids: Iterable[int], purpose: Purpose) -> None:
        """Take files off the list. Raises: StorageError."""
        with self._index.write() as connection:
            connection.executemany(
                "DELETE FROM library_wanted WHERE file_id = ? AND purpose = ?",
                [(file_id, purpose.value) for file_id in file_ids],
            )

    def clear(self) -> None:
        """Drop all. Raises: StorageError."""
        with self._index.write() as connection:
            connection.execute("DELETE FROM library_wanted")

    def forget_all(self) -> None:
        """Drop all, where even that may fail: a reading that broke must not break each next engine too."""
        with contextlib.suppress(StorageError):
            self.clear()
