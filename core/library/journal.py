"""The journal of changes, in the state folder's SQLite file.

`changes` holds a row a plan, `changes_actions` a row for each of its actions. Before anything happens on the disk the
actions whose turn it is are marked `started`, durably; afterwards what became of them is written. Whoever finds a
`started` action after a crash looks at the disk, where its file is in one of its two places, and brings it to its end.

Paths are bytes: a name of a Linux file need not be text.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..database import database_path, migrate, open_database
from ..errors import StorageError
from ..records.change import Act, Action, Change, ChangeKind, ChangeState, FileFacts, Method, Outcome, Problem, Step

#: The oldest are forgotten, but for those that still have something in the trash.
_KEPT_CHANGES = 200
_KEPT_PLANS = 20

_STEPS = (
    """CREATE TABLE changes (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        title BLOB NOT NULL,
        created_at REAL NOT NULL,
        state TEXT NOT NULL,
        ended_at REAL,
        undoes TEXT,
        undone_by TEXT,
        bytes INTEGER NOT NULL,
        saved_bytes INTEGER NOT NULL,
        conflicts INTEGER NOT NULL,
        problems BLOB NOT NULL
    )""",
    """CREATE TABLE changes_actions (
        change_id TEXT NOT NULL REFERENCES changes (id),
        number INTEGER NOT NULL,
        act TEXT NOT NULL,
        source BLOB NOT NULL,
        target BLOB,
        method TEXT,
        size_bytes INTEGER NOT NULL,
        saved_bytes INTEGER NOT NULL,
        reason TEXT NOT NULL,
        conflict TEXT,
        kind TEXT,
        evidence TEXT,
        digest TEXT,
        follows INTEGER,
        facts TEXT,
        target_facts TEXT,
        spare BLOB,
        staged TEXT,
        made TEXT,
        step TEXT NOT NULL,
        note TEXT,
        PRIMARY KEY (change_id, number)
    ) WITHOUT ROWID""",
    "CREATE INDEX changes_by_time ON changes (created_at)",
    "CREATE INDEX changes_trash ON changes_actions (target) WHERE act = 'trash'",
)
_ACTION_COLUMNS = (
    "number, act, source, target, method, size_bytes, saved_bytes, reason, conflict, kind, evidence, digest, follows,"
    " facts, target_facts, spare, staged, made, step, note"
)
_CHANGE_COLUMNS = (
    "id, kind, title, created_at, state, ended_at, undoes, undone_by, bytes, saved_bytes, conflicts, problems"
)


class ChangeJournal:
    """One connection, of the thread that opened it."""

    def __init__(self, state_dir: Path, *, network: bool | None = None) -> None:
        path = database_path(state_dir, network=network)
        self._connection = open_database(path, wal=path.parent == state_dir)
        try:
            migrate(self._connection, "changes", _STEPS)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> ChangeJournal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add(self, change: Change, actions: Sequence[Action]) -> None:
        """Keep a plan, and forget the oldest. Raises: StorageError."""
        problems = json.dumps([[item.path, item.reason] for item in change.problems]).encode()
        with self._transaction():
            self._connection.execute(
                f"INSERT INTO changes ({_CHANGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (
                    change.id,
                    change.kind.value,
                    os.fsencode(change.title),
                    change.created_at,
                    change.state.value,
                    change.ended_at,
                    change.undoes,
                    change.undone_by,
                    change.bytes,
                    change.saved_bytes,
                    change.conflicts,
                    problems,
                ),
            )
            self._connection.executemany(
                f"INSERT INTO changes_actions (change_id, {_ACTION_COLUMNS})"  # noqa: S608 - our own column names
                f" VALUES ({', '.join('?' * 21)})",
                [(change.id, *_row_of(action)) for action in actions],
            )
            self._forget_oldest()

    def get(self, change_id: str) -> Change | None:
        """Return a change with its counts."""
        return next(iter(self._changes("WHERE id = ?", (change_id,))), None)

    def recent(self, limit: int) -> list[Change]:
        """Return the newest changes that were begun, newest first; plans that were only looked at are left out."""
        return self._changes("WHERE state != 'planned' ORDER BY created_at DESC, rowid DESC LIMIT ?", (limit,))

    def actions(self, change_id: str, *, step: Step | None = None) -> list[Action]:
        """Return the actions of a change in order."""
        where, values = ("change_id = ?", [change_id])
        if step is not None:
            where, values = f"{where} AND step = ?", [change_id, step.value]
        rows = self._connection.execute(
            f"SELECT {_ACTION_COLUMNS} FROM changes_actions WHERE {where} ORDER BY number",  # noqa: S608
            values,
        )
        return [_action_of(row) for row in rows]

    def set_state(self, change_id: str, state: ChangeState, *, undone_by: str | None = None) -> None:
        """Note where a change stands. Raises: StorageError."""
        ended = time.time() if state in {ChangeState.APPLIED, ChangeState.STOPPED} else None
        with self._transaction():
            self._connection.execute(
                "UPDATE changes SET state = ?, ended_at = coalesce(?, ended_at), undone_by = coalesce(?, undone_by)"
                " WHERE id = ?",
                (state.value, ended, undone_by, change_id),
            )

    def turn(self, change_id: str, outcomes: Iterable[tuple[int, Outcome]] = (), starting: Iterable[int] = ()) -> None:
        """Write what became of some actions, and that others begin: one durable step. Raises: StorageError."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE changes_actions SET step = ?, note = ?, made = ?, method = coalesce(?, method)"
                " WHERE change_id = ? AND number = ?",
                [
                    (
                        outcome.step.value,
                        _text(outcome.note),
                        _facts_text(outcome.made),
                        outcome.method.value if outcome.method is not None else None,
                        change_id,
                        number,
                    )
                    for number, outcome in outcomes
                ],
            )
            self._connection.executemany(
                "UPDATE changes_actions SET step = 'started' WHERE change_id = ? AND number = ?",
                [(change_id, number) for number in starting],
            )

    def staged(self, change_id: str, number: int, facts: FileFacts) -> None:
        """Note the file that is about to get an action's name. Raises: StorageError."""
        with self._transaction():
            self._connection.execute(
                "UPDATE changes_actions SET staged = ? WHERE change_id = ? AND number = ?",
                (_facts_text(facts), change_id, number),
            )

    def unfinished(self) -> list[str]:
        """Return the changes that a crash or the end of an engine interrupted, oldest first."""
        rows = self._connection.execute(
            "SELECT id FROM changes WHERE state = 'applying' OR (state = 'stopped' AND EXISTS (SELECT 1 FROM"
            " changes_actions WHERE change_id = changes.id AND step = 'started')) ORDER BY created_at, rowid"
        )
        return [change_id for (change_id,) in rows]

    def last_undoable(self) -> str | None:
        """Return the newest change that did something and can be taken back."""
        row = self._connection.execute(
            "SELECT id FROM changes WHERE state IN ('applied', 'stopped') AND kind NOT IN ('undo', 'empty')"
            " AND EXISTS (SELECT 1 FROM changes_actions WHERE change_id = changes.id AND step = 'done')"
            " ORDER BY created_at DESC, rowid DESC LIMIT 1"
        ).fetchone()
        return str(row[0]) if row is not None else None

    def taken_back(self) -> set[str]:
        """Return the sources of organised files whose change was undone: nobody wants them organised again unasked."""
        rows = self._connection.execute(
            "SELECT source FROM changes_actions JOIN changes ON changes.id = change_id"
            " WHERE changes.kind = 'organise' AND changes.state = 'undone' AND step = 'done'"
        )
        return {os.fsdecode(source) for (source,) in rows}

    def in_trash(self) -> list[tuple[str, float, Action]]:
        """Return what was moved into the trash and neither taken back nor deleted: change, when, action."""
        rows = self._connection.execute(
            f"SELECT change_id, at, {_ACTION_COLUMNS} FROM changes_actions"  # noqa: S608 - our own column names
            " JOIN (SELECT id, created_at AS at FROM changes WHERE state IN ('applied', 'stopped', 'applying'))"
            " ON id = change_id WHERE act = 'trash' AND step = 'done' ORDER BY at DESC, number"
        )
        return [(row[0], row[1], _action_of(row[2:])) for row in rows]

    def emptied(self, change_id: str) -> None:
        """Note that what a change dropped is in nobody's trash any more. Raises: StorageError."""
        with self._transaction():
            self._connection.execute(
                "UPDATE changes_actions SET step = 'gone' WHERE act = 'trash' AND target IN"
                " (SELECT source FROM changes_actions WHERE change_id = ? AND act = 'drop' AND step = 'done')",
                (change_id,),
            )

    def _changes(self, where: str, values: Sequence[object]) -> list[Change]:
        rows = self._connection.execute(f"SELECT {_CHANGE_COLUMNS} FROM changes {where}", values).fetchall()  # noqa: S608
        return [self._counted(_change_of(row)) for row in rows]

    def _counted(self, change: Change) -> Change:
        counts: dict[str, int] = dict(
            self._connection.execute(
                "SELECT step, count(*) FROM changes_actions WHERE change_id = ? AND act NOT IN ('skip', 'leave')"
                " GROUP BY step",
                (change.id,),
            ).fetchall()
        )
        return replace(
            change,
            total=sum(counts.values()),
            done=counts.get("done", 0),
            skipped=counts.get("skipped", 0),
            failed=counts.get("failed", 0),
        )

    def _forget_oldest(self) -> None:
        for where, kept in (
            ("state = 'planned'", _KEPT_PLANS),
            ("state NOT IN ('planned', 'applying')", _KEPT_CHANGES),
        ):
            rows = self._connection.execute(
                f"SELECT id FROM changes WHERE {where} ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?",  # noqa: S608
                (kept,),
            ).fetchall()
            old = [row for row in rows if not self._needed(row[0])]
            self._connection.executemany("DELETE FROM changes_actions WHERE change_id = ?", old)
            self._connection.executemany("DELETE FROM changes WHERE id = ?", old)

    def _needed(self, change_id: str) -> bool:
        """Tell whether something of a change is in the trash or unfinished."""
        row = self._connection.execute(
            "SELECT 1 FROM changes_actions WHERE change_id = ?"
            " AND (step = 'started' OR (act = 'trash' AND step = 'done')) LIMIT 1",
            (change_id,),
        ).fetchone()
        return row is not None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as err:
            raise StorageError(
                f"the journal of changes cannot be written: {err}", hint="is the volume of the state folder full?"
            ) from err


def _row_of(action: Action) -> tuple[object, ...]:
    return (
        action.number,
        action.act.value,
        os.fsencode(action.source),
        os.fsencode(action.target) if action.target is not None else None,
        action.method.value if action.method is not None else None,
        action.size_bytes,
        action.saved_bytes,
        _text(action.reason),
        _text(action.conflict),
        action.kind,
        _text(action.evidence),
        action.digest,
        action.follows,
        _facts_text(action.facts),
        _facts_text(action.target_facts),
        os.fsencode(action.spare) if action.spare is not None else None,
        _facts_text(action.staged),
        _facts_text(action.made),
        action.step.value,
        _text(action.note),
    )


def _action_of(row: Sequence[Any]) -> Action:
    return Action(
        number=row[0],
        act=Act(row[1]),
        source=os.fsdecode(row[2]),
        target=os.fsdecode(row[3]) if row[3] is not None else None,
        method=Method(row[4]) if row[4] is not None else None,
        size_bytes=row[5],
        saved_bytes=row[6],
        reason=row[7],
        conflict=row[8],
        kind=row[9],
        evidence=row[10],
        digest=row[11],
        follows=row[12],
        facts=_facts_of(row[13]),
        target_facts=_facts_of(row[14]),
        spare=os.fsdecode(row[15]) if row[15] is not None else None,
        staged=_facts_of(row[16]),
        made=_facts_of(row[17]),
        step=Step(row[18]),
        note=row[19],
    )


def _change_of(row: Sequence[Any]) -> Change:
    return Change(
        id=row[0],
        kind=ChangeKind(row[1]),
        title=os.fsdecode(row[2]),
        created_at=row[3],
        state=ChangeState(row[4]),
        ended_at=row[5],
        undoes=row[6],
        undone_by=row[7],
        bytes=row[8],
        saved_bytes=row[9],
        conflicts=row[10],
        problems=tuple(Problem(path=path, reason=reason) for path, reason in json.loads(row[11])),
    )


def _text(value: str | None) -> str | None:
    """A name in a sentence need not be text; SQLite wants some."""
    return value.encode("utf-8", "backslashreplace").decode() if value is not None else None


def _facts_text(facts: FileFacts | None) -> str | None:
    return f"{facts.inode}:{facts.size_bytes}:{facts.mtime_ns}" if facts is not None else None


def _facts_of(text: str | None) -> FileFacts | None:
    return FileFacts(*map(int, text.split(":"))) if text is not None else None
