"""The state folder's SQLite file: where it lies, how it is opened, and which version of each part's tables it holds.

On a local disk it is in WAL mode. WAL needs memory that all processes share, so "all processes using a database must
be on the same host computer; WAL does not work over a network filesystem" (sqlite.org/wal.html): there each machine
has a file of its own, without WAL.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from .errors import ConfigError, StorageError
from .mounts import mount_of

DATABASE_NAME = "comfystow.sqlite"
_BUSY_SECONDS = 5.0


def database_path(state_dir: Path, *, network: bool | None = None) -> Path:
    """Return where the database of this machine lies; `network` None asks the mount table."""
    if network is None:
        mount = mount_of(state_dir)
        network = mount is not None and mount.network
    return state_dir / "hosts" / host_id() / DATABASE_NAME if network else state_dir / DATABASE_NAME


def host_id() -> str:
    """Return a name of this machine: images share their machine-id, and containers differ by host name."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        machine = ""
    return hashlib.sha256(f"{socket.gethostname()}\0{machine}".encode()).hexdigest()[:12]


def open_database(path: Path, *, wal: bool, any_thread: bool = False) -> sqlite3.Connection:
    """Open the file, readable by its owner only; every statement commits by itself unless it is in a transaction.

    `any_thread` lets other threads than ours use the connection, and close it.

    Raises: StorageError: the folder cannot be written, or the file is damaged.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its journals the mode of the file, so the file must have it before the first of them.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=not any_thread
        )
    except (OSError, sqlite3.Error) as err:
        raise StorageError(f"cannot open `{path}`: {err}", hint="is the state folder writable?") from err
    try:
        connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'TRUNCATE'}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"
        )
    except sqlite3.Error as err:
        connection.close()
        raise StorageError(
            f"`{path}` cannot be used: {err}",
            hint="is its volume full? if the file is damaged, move it away: models and parts stay as they are",
        ) from err
    return connection


def migrate(connection: sqlite3.Connection, name: str, steps: Sequence[str]) -> None:
    """Bring one part's tables to the newest version: step n leads from version n to n + 1.

    Raises: ConfigError: a newer version of ComfyStow has written them; nothing is changed.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute("SELECT version FROM parts WHERE name = ?", (name,)).fetchone()
        version = int(row[0]) if row is not None else 0
        _check_version(name, version, len(steps))
        for step in steps[version:]:
            connection.execute(step)
        connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?)", (name, len(steps)))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _check_version(name: str, found: int, known: int) -> None:
    if found > known:
        raise ConfigError(
            f"the state folder was written by a newer ComfyStow ({name} has version {found}, this one knows {known})",
            hint="update this ComfyStow, or give it another --state-dir",
        )
