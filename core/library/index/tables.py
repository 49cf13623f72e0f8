"""The tables of the index in the state folder's database, and how a row becomes a record.

Paths are stored as the bytes that the file system has: SQLite's texts hold no surrogates, and a name need be no text.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...records.download import Verified
from ...records.library import DigestOrigin, LibraryFile, LibraryRoot

STEPS = (
    """CREATE TABLE library_roots (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        folder_names TEXT NOT NULL,
        available INTEGER NOT NULL DEFAULT 1,
        listed INTEGER NOT NULL DEFAULT 1,
        device INTEGER,
        scanned_at REAL
    )""",
    """CREATE TABLE library_files (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        root_id INTEGER NOT NULL REFERENCES library_roots (id),
        relative_path BLOB NOT NULL,
        folded TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        links INTEGER NOT NULL,
        symlink INTEGER NOT NULL,
        available INTEGER NOT NULL DEFAULT 1,
        examined INTEGER NOT NULL DEFAULT 0,
        stamp INTEGER NOT NULL DEFAULT 0,
        format TEXT,
        kind TEXT,
        belongs_in TEXT,
        alternatives TEXT NOT NULL DEFAULT '[]',
        confidence TEXT,
        base_model TEXT,
        base_model_version TEXT,
        precision TEXT,
        parameters INTEGER,
        vram_bytes INTEGER,
        trigger_words TEXT NOT NULL DEFAULT '[]',
        sha256 TEXT,
        autov1 TEXT,
        autov3 TEXT,
        blake3 TEXT,
        digest_origin TEXT,
        source TEXT,
        verified TEXT,
        damaged TEXT,
        added_at REAL NOT NULL,
        last_used_at REAL,
        UNIQUE (root_id, relative_path)
    )""",
    "CREATE INDEX library_by_sha256 ON library_files (sha256) WHERE sha256 IS NOT NULL",
    "CREATE INDEX library_by_size ON library_files (size_bytes)",
    "CREATE INDEX library_by_name ON library_files (folded, id)",
    "CREATE INDEX library_by_inode ON library_files (inode)",
)

#: Whether two names are the same bytes on disk; file systems without inode numbers say 0.
IDENTITY = "CASE WHEN f.inode = 0 THEN 'i' || f.id ELSE f.device || ':' || f.inode END"

FROM = "library_files f JOIN library_roots r ON r.id = f.root_id"

_PLAIN = (
    "id",
    "root_id",
    "size_bytes",
    "mtime_ns",
    "device",
    "inode",
    "links",
    "format",
    "kind",
    "belongs_in",
    "confidence",
    "base_model",
    "base_model_version",
    "precision",
    "parameters",
    "vram_bytes",
    "sha256",
    "autov1",
    "autov3",
    "blake3",
    "source",
    "damaged",
    "added_at",
    "last_used_at",
)
_READ = (
    "r.path",
    "r.folder_names",
    "f.relative_path",
    "f.symlink",
    "f.available AND r.available",
    "f.digest_origin",
    "f.verified",
    "f.alternatives",
    "f.trigger_words",
)
COLUMNS = ", ".join([*_READ, *(f"f.{name}" for name in _PLAIN)])


def read_file(row: tuple[Any, ...]) -> LibraryFile:
    """Make a record of a row of `COLUMNS`."""
    root, names, relative, symlink, available, origin, verified, alternatives, words, *rest = row
    return LibraryFile(
        root=Path(os.fsdecode(root)),
        folder_name=json.loads(names)[0],
        relative_path=os.fsdecode(relative),
        symlink=bool(symlink),
        available=bool(available),
        alternatives=tuple(json.loads(alternatives)),
        trigger_words=tuple(json.loads(words)),
        digest_origin=DigestOrigin(origin) if origin is not None else None,
        verified=Verified(verified) if verified is not None else None,
        **dict(zip(_PLAIN, rest, strict=True)),
    )


def read_root(row: tuple[Any, ...]) -> LibraryRoot:
    """Make a record of a row of `library_roots`."""
    root_id, path, names, available, listed, device, scanned_at = row
    return LibraryRoot(
        id=root_id,
        path=Path(os.fsdecode(path)),
        folder_names=tuple(json.loads(names)),
        available=bool(available),
        listed=bool(listed),
        device=device,
        scanned_at=scanned_at,
    )


def relative_bytes(relative_path: str) -> bytes:
    """Return the stored form of a relative path, which has `/` between parts on every system."""
    return os.fsencode(relative_path.replace(os.sep, "/"))


def joined(root: bytes, relative: bytes) -> bytes:
    """Return the path of something below a root."""
    return root.rstrip(b"/") + b"/" + relative if relative else root


def shown(name: bytes) -> str:
    """Return a name that can be printed and searched: what is no text becomes a replacement character."""
    return name.decode("utf-8", "replace")


def folded(relative_path: bytes) -> str:
    """Return what searches look in."""
    return shown(relative_path).casefold()
