"""The index of the library: what is known of every model file, asked by digest, size, path and filter.

Each thread has a connection of its own. Transactions are short, so that the queue, which writes the same database,
never waits for a scan.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ...database import database_path, migrate, open_database
from ...errors import StorageError
from ...records.library import (
    LibraryFile,
    LibraryFilter,
    LibraryPage,
    LibraryRoot,
    LibrarySort,
    LibraryTotals,
    UsageRow,
)
from ...records.source import Digest
from .select import DUPLICATES, order, where
from .tables import COLUMNS, FROM, IDENTITY, STEPS, read_file, read_root, relative_bytes

T = TypeVar("T")

MOST_ROWS = 10_000
_ROOT_COLUMNS = "id, path, folder_names, available, listed, device, scanned_at"
_USAGE = {"kind": "f.kind", "base_model": "f.base_model", "folder": "json_extract(r.folder_names, '$[0]')"}
_CHUNK = 500


class LibraryIndex:
    """The tables of the library. Safe to use from any thread."""

    def __init__(self, state_dir: Path, *, network: bool | None = None) -> None:
        self.path = database_path(state_dir, network=network)
        self._wal = self.path.parent == state_dir
        self._own = threading.local()
        self._all: list[sqlite3.Connection] = []  # guarded by _opening
        self._opening = threading.Lock()
        self.writes = 0
        """Grows with each transaction: what was computed before one may be out of date."""
        self._computed: dict[str, tuple[int, Any]] = {}
        self._writing = threading.RLock()  # one writer of ours at a time: the next waits here, not in SQLite
        try:
            self.migrate("library", STEPS)
        except BaseException:
            self.close()
            raise

    def migrate(self, name: str, steps: Sequence[str]) -> None:
        """Bring tables that lean on these to their newest version. Raises: ConfigError."""
        migrate(self._connection, name, steps)

    def close(self) -> None:
        """Close every connection; the threads that used them must have ended their work."""
        with self._opening:
            for connection in self._all:
                connection.close()
            self._all.clear()

    @property
    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = open_database(self.path, wal=self._wal, any_thread=True)
            if self._wal:  # rows of files can be read again from the files; the queue's rows cannot
                found.execute("PRAGMA synchronous=NORMAL")
            self._own.connection = found
            with self._opening:
                self._all.append(found)
        return found

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give the connection within a transaction; keep it short. Raises: StorageError."""
        with self._writing:
            connection = self._connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
                self.writes += 1
            except sqlite3.Error as err:
                raise StorageError(
                    f"the library cannot be written: {err}", hint=f"is `{self.path.parent}` full or read-only?"
                ) from err

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Return the rows of a query. Raises: StorageError."""
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as err:
            raise StorageError(f"the library cannot be read: {err}", hint=f"look at `{self.path}`") from err

    # Files

    def get(self, file_id: int) -> LibraryFile | None:
        """Return one file."""
        return next(iter(self.get_all([file_id])), None)

    def get_all(self, file_ids: Iterable[int]) -> list[LibraryFile]:
        """Return files, in no order; unknown ids are left out."""
        found = []
        wanted = list(file_ids)
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            marks = ",".join("?" * len(part))
            found += self._files(f"f.id IN ({marks})", part)
        return found

    def by_digest(self, digest: Digest) -> list[LibraryFile]:
        """Return the files that hold a content, can be reached and are not known to be damaged."""
        if digest.algorithm not in {"sha256", "blake3", "autov1", "autov3"}:
            return []
        return self._files(
            f"f.{digest.algorithm} = ? AND f.available AND r.available AND f.damaged IS NULL", (digest.hex,)
        )

    def by_size(self, size_bytes: int) -> list[LibraryFile]:
        """Return the files of a size."""
        return self._files("f.size_bytes = ?", (size_bytes,))

    def same_file(self, file: LibraryFile) -> list[LibraryFile]:
        """Return the names of the very file that a row is of, itself among them: hard links, and links to them."""
        if file.inode == 0:
            return [file]
        return self._files("f.inode = ? AND f.device = ?", (file.inode, file.device))

    def same_size(self) -> list[LibraryFile]:
        """Return the files that share their size with another file on disk: only these can be duplicates."""
        groups = (
            f"SELECT f.size_bytes FROM {FROM} WHERE r.listed AND f.size_bytes > 0 "  # noqa: S608
            f"GROUP BY f.size_bytes HAVING count(DISTINCT {IDENTITY}) > 1"
        )
        return self._files(f"r.listed AND f.size_bytes IN ({groups})")

    def by_path(self, path: Path) -> LibraryFile | None:
        """Return the file of a path, whose root is resolved as it is in the index."""
        place = self.place_of(path)
        return self.at(*place) if place is not None else None

    def at(self, root: LibraryRoot, relative_path: str) -> LibraryFile | None:
        """Return the file of a place."""
        found = self._files("f.root_id = ? AND f.relative_path = ?", (root.id, relative_bytes(relative_path)))
        return found[0] if found else None

    def place_of(self, path: Path, roots: Iterable[LibraryRoot] | None = None) -> tuple[LibraryRoot, str] | None:
        """Return the innermost root (of `roots`, else of all) that holds a path, and the path below it."""
        spellings = (path, Path(os.path.realpath(path.parent)) / path.name)
        inner = sorted(self.roots() if roots is None else roots, key=lambda root: -len(root.path.parts))
        for spelling in spellings:
            for root in inner:
                if spelling.is_relative_to(root.path) and spelling != root.path:
                    return root, spelling.relative_to(root.path).as_posix()
        return None

    def named(self, name: str, folder_name: str | None = None) -> list[LibraryFile]:
        """Return the files that a loader lists as `name` (with `/` between parts), in one folder or in any."""
        terms, values = "f.relative_path = ?", [relative_bytes(name)]
        found = self._files(terms, values)
        if folder_name is None:
            return found
        roots = {root.id for root in self.roots() if folder_name in root.folder_names}
        return [file for file in found if file.root_id in roots]

    def page(
        self,
        wanted: LibraryFilter,
        *,
        sort: LibrarySort = LibrarySort.NAME,
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> LibraryPage:
        """Return a part of the files that fit."""
        terms, values = where(wanted)
        count = self.rows(f"SELECT count(*) FROM {FROM} WHERE {terms}", values)[0][0]  # noqa: S608
        files = self._files(
            f"{terms} ORDER BY {order(sort, descending=descending)} LIMIT ? OFFSET ?",
            [*values, min(limit, MOST_ROWS), offset],
        )
        return LibraryPage(files=tuple(files), count=count)

    def each(self, wanted: LibraryFilter) -> list[LibraryFile]:
        """Return all files that fit, by id."""
        terms, values = where(wanted)
        return self._files(f"{terms} ORDER BY f.id", values)

    def _files(self, terms: str, values: Sequence[object] = ()) -> list[LibraryFile]:
        return [read_file(row) for row in self.rows(f"SELECT {COLUMNS} FROM {FROM} WHERE {terms}", values)]  # noqa: S608

    # All together

    def totals(self) -> LibraryTotals:
        """Count everything."""
        return self._remembered("totals", self._totals)

    def usage(self, by: str) -> list[UsageRow]:
        """Return what each `kind`, `base_model` or `folder` takes, largest first; hard links count once."""
        return self._remembered(by, lambda: self._usage(by))

    def usage_of_roots(self) -> dict[int, UsageRow]:
        """Return what each root takes, by its id."""
        return self._remembered("roots", self._usage_of_roots)

    def _remembered(self, name: str, compute: Callable[[], T]) -> T:
        """Compute once until something is written: on 100,000 rows each takes tenths of a second."""
        writes = self.writes
        known = self._computed.get(name)
        if known is None or known[0] != writes:
            self._computed[name] = known = (writes, compute())
        value: T = known[1]
        return value

    def _totals(self) -> LibraryTotals:
        files, damaged, unidentified = self.rows(
            "SELECT count(*), count(f.damaged), count(*) - count(f.source) "  # noqa: S608
            f"FROM {FROM} WHERE r.listed"
        )[0]
        on_disk = self.rows(
            f"SELECT sum(size_bytes) FROM (SELECT max(f.size_bytes) AS size_bytes FROM {FROM} "  # noqa: S608
            f"WHERE r.listed GROUP BY {IDENTITY})"
        )[0][0]
        twice = self.rows(f"SELECT sum(size_bytes * (copies - 1)) FROM ({DUPLICATES})")[0][0]  # noqa: S608
        return LibraryTotals(
            files=files, bytes=on_disk or 0, damaged=damaged, duplicates_bytes=twice or 0, unidentified=unidentified
        )

    def _usage(self, by: str) -> list[UsageRow]:
        rows = self.rows(
            f"SELECT value, sum(files), sum(size_bytes) AS bytes FROM (SELECT {_USAGE[by]} AS value, "  # noqa: S608
            f"count(*) AS files, max(f.size_bytes) AS size_bytes FROM {FROM} WHERE r.listed GROUP BY {IDENTITY}) "
            "GROUP BY value ORDER BY bytes DESC"
        )
        return [UsageRow(value=value, files=files, bytes=size) for value, files, size in rows]

    def _usage_of_roots(self) -> dict[int, UsageRow]:
        rows = self.rows(
            f"SELECT root_id, sum(files), sum(size_bytes) FROM (SELECT min(f.root_id) AS root_id, "  # noqa: S608
            f"count(*) AS files, max(f.size_bytes) AS size_bytes FROM {FROM} GROUP BY {IDENTITY}) GROUP BY root_id"
        )
        return {root: UsageRow(value=None, files=files, bytes=size) for root, files, size in rows}

    # Roots

    def roots(self) -> list[LibraryRoot]:
        """Return the roots, those that no layout names any more too."""
        return [read_root(row) for row in self.rows(f"SELECT {_ROOT_COLUMNS} FROM library_roots ORDER BY id")]  # noqa: S608

    def set_roots(self, wanted: Iterable[tuple[Path, tuple[str, ...]]]) -> list[LibraryRoot]:
        """Make the listed roots exactly these, and return them in that order; rows of others are kept."""
        known = {root.path: root for root in self.roots()}
        pairs = list(wanted)
        same = {root.path: root.folder_names for root in known.values() if root.listed} == dict(pairs)
        if not same:
            with self.write() as connection:
                connection.execute("UPDATE library_roots SET listed = 0")
                connection.executemany(
                    "INSERT INTO library_roots (path, folder_names) VALUES (?, ?) "
                    "ON CONFLICT (path) DO UPDATE SET folder_names = excluded.folder_names, listed = 1",
                    [(os.fsencode(path), json.dumps(names)) for path, names in pairs],
                )
            known = {root.path: root for root in self.roots()}
        return [known[path] for path, _ in pairs]
