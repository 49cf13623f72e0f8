"""Writing rows of files: what a scan knows before, and what it found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ...records.library import LibraryRoot
from .examine import EXAMINATION
from .index import LibraryIndex
from .tables import folded
from .walk import Entry

#: Rows written at once: about ten milliseconds in which nobody else writes the database.
BATCH = 250


class Known(NamedTuple):
    """What the index has of a name, as far as a scan compares it."""

    size_bytes: int
    mtime_ns: int
    device: int
    inode: int
    available: int
    examined: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file to write: new (`file_id` None) or with new content; `columns` None leaves it for the next scan."""

    root_id: int
    entry: Entry
    columns: Mapping[str, object] | None = None
    file_id: int | None = None
    added_at: float = 0.0
    same_bytes: bool = False
    """True where only an older examination is made again: what is known of the bytes stays."""


def known_stamps(index: LibraryIndex, root_id: int) -> dict[bytes, int]:
    """Return what the files of a root looked like; 0 where something has to be done for one anyway."""
    return dict(index.rows("SELECT relative_path, stamp FROM library_files WHERE root_id = ?", (root_id,)))


def known_files(index: LibraryIndex, root_id: int) -> dict[bytes, Known]:
    """Return what is known of the files of a root, by relative path."""
    rows = index.rows(
        "SELECT relative_path, size_bytes, mtime_ns, device, inode, available, examined, id "
        "FROM library_files WHERE root_id = ?",
        (root_id,),
    )
    return {row[0]: Known._make(row[1:]) for row in rows}


def forget_old_examinations(index: LibraryIndex, oldest: int) -> None:
    """Let a scan look again into what was last looked into by an examination before `oldest`."""
    if index.rows("SELECT 1 FROM library_files WHERE examined < ? AND stamp <> 0 LIMIT 1", (oldest,)):
        with index.write() as connection:
            connection.execute("UPDATE library_files SET stamp = 0 WHERE examined < ?", (oldest,))


def save_files(index: LibraryIndex, files: Iterable[NewFile]) -> list[int]:
    """Write files, in one transaction; returns their ids. Raises: StorageError."""
    with index.write() as connection:
        return [_insert(connection, file) if file.file_id is None else _update(connection, file) for file in files]


def _facts(file: NewFile) -> dict[str, Any]:
    entry, examined = file.entry, file.columns is not None
    return {
        "size_bytes": entry.size_bytes,
        "mtime_ns": entry.mtime_ns,
        "device": entry.device,
        "inode": entry.inode,
        "links": entry.links,
        "symlink": int(entry.symlink),
        "available": 1,
        "examined": EXAMINATION if examined else 0,
        "stamp": entry.stamp if examined else 0,
        **(file.columns or {}),
    }


def _insert(connection: sqlite3.Connection, file: NewFile) -> int:
    """Write a new row; one that another thread has written since the look is brought up to date."""
    place = (file.root_id, file.entry.path)
    known = connection.execute(
        "SELECT id, size_bytes, mtime_ns FROM library_files WHERE root_id = ? AND relative_path = ?", place
    ).fetchone()
    if known is not None:
        same = (known[1], known[2]) == (file.entry.size_bytes, file.entry.mtime_ns)
        return _update(connection, replace(file, file_id=known[0], same_bytes=same))
    values = _facts(file) | {
        "root_id": file.root_id,
        "relative_path": file.entry.path,
        "folded": folded(file.entry.path),
        "added_at": file.added_at,
    }
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    cursor = connection.execute(
        f"INSERT INTO library_files ({names}) VALUES ({marks})",  # noqa: S608 - our own column names
        list(values.values()),
    )
    return int(cursor.lastrowid or 0)


#: How the damage begins that only reading the whole file shows.
WRONG_DIGEST = "its SHA-256 is"
_OF_THE_BYTES = ("sha256", "autov1", "autov3", "blake3", "digest_origin", "source")


def _update(connection: sqlite3.Connection, file: NewFile) -> int:
    """Write what is there now; digests and source of other bytes than before are forgotten."""
    values = _facts(file)
    if file.same_bytes:  # what was proven of these bytes is more than their header tells
        proven = {"verified": "verified = 'digest'", "damaged": f"damaged LIKE '{WRONG_DIGEST}%'"}
        sets = ", ".join(
            f"{name} = CASE WHEN {proven[name]} THEN {name} ELSE ? END" if name in proven else f"{name} = ?"
            for name in values
        )
        kept = list(values.values())
    else:
        sets = ", ".join(f"{name} = ?" for name in (*values, *_OF_THE_BYTES))
        kept = [*values.values(), *(None for _ in _OF_THE_BYTES)]
    connection.execute(f"UPDATE library_files SET {sets} WHERE id = ?", [*kept, file.file_id])  # noqa: S608
    assert file.file_id is not None  # noqa: S101
    return file.file_id


def touch_files(index: LibraryIndex, entries: Iterable[tuple[int, Entry]]) -> None:
    """Note inodes, links and presence of files whose content is as before."""
    rows = [
        (entry.device, entry.inode, entry.links, int(entry.symlink), entry.stamp, file_id) for file_id, entry in entries
    ]
    for start in range(0, len(rows), BATCH):
        with index.write() as connection:
            connection.executemany(
                "UPDATE library_files SET device = ?, inode = ?, links = ?, symlink = ?, stamp = ?, available = 1 "
                "WHERE id = ?",
                rows[start : start + BATCH],
            )


def relocate_files(index: LibraryIndex, moves: Iterable[tuple[int, int, Entry]]) -> None:
    """Give files `(id, root id, entry)` another place; what is known of them goes along."""
    with index.write() as connection:
        for file_id, root_id, entry in moves:
            connection.execute(
                "DELETE FROM library_files WHERE root_id = ? AND relative_path = ? AND id <> ?",
                (root_id, entry.path, file_id),
            )
            connection.execute(
                "UPDATE library_files SET root_id = ?, relative_path = ?, folded = ?, device = ?, inode = ?, "
                "links = ?, symlink = ?, available = 1, stamp = CASE WHEN examined = ? THEN ? ELSE 0 END WHERE id = ?",
                (
                    root_id,
                    entry.path,
                    folded(entry.path),
                    entry.device,
                    entry.inode,
                    entry.links,
                    int(entry.symlink),
                    EXAMINATION,
                    entry.stamp,
                    file_id,
                ),
            )


def forget_files(index: LibraryIndex, file_ids: Iterable[int]) -> None:
    """Drop rows; the files themselves are not touched."""
    rows = [(file_id,) for file_id in file_ids]
    for start in range(0, len(rows), BATCH):
        with index.write() as connection:
            connection.executemany("DELETE FROM library_files WHERE id = ?", rows[start : start + BATCH])


def forget_gone(index: LibraryIndex, root_id: int, gone: Mapping[bytes, Known]) -> None:
    """Drop the rows of names that are gone; one that was given another place since the look stays."""
    rows = [(row.id, root_id, path) for path, row in gone.items()]
    for start in range(0, len(rows), BATCH):
        with index.write() as connection:
            connection.executemany(
                "DELETE FROM library_files WHERE id = ? AND root_id = ? AND relative_path = ?",
                rows[start : start + BATCH],
            )


def set_unavailable(index: LibraryIndex, file_ids: Iterable[int]) -> None:
    """Note that files cannot be reached; what is known of them stays."""
    rows = [(file_id,) for file_id in file_ids]
    for start in range(0, len(rows), BATCH):
        with index.write() as connection:
            connection.executemany(
                "UPDATE library_files SET available = 0, stamp = 0 WHERE id = ?", rows[start : start + BATCH]
            )


def set_facts(index: LibraryIndex, rows: Mapping[int, Mapping[str, object]]) -> None:
    """Set columns of files by id: digests, source, verified, damaged, last use."""
    with index.write() as connection:
        for file_id, values in rows.items():
            sets = ", ".join(f"{name} = ?" for name in values)
            connection.execute(f"UPDATE library_files SET {sets} WHERE id = ?", [*values.values(), file_id])  # noqa: S608


def note_root(index: LibraryIndex, root: LibraryRoot, *, available: bool, device: int | None, now: float) -> None:
    """Note how a root was found."""
    if available:
        change, values = "available = 1, device = ?, scanned_at = ?", [device, now]
    else:
        change, values = "available = 0", []
    with index.write() as connection:
        connection.execute(f"UPDATE library_roots SET {change} WHERE id = ?", [*values, root.id])  # noqa: S608
