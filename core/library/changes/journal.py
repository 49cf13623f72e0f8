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

from ...database import database_path, migrate, open_database
from ...errors import StorageError
from ...records.change import Action, Change, ChangeState, FileFacts, Outcome
from .journal_rows import ACTION_COLUMNS, CHANGE_COLUMNS, STEPS, action_of, change_of, facts_text, outcome_row, row_of

#: The oldest are forgotten, but for those that still have something in the trash.
_KEPT_CHANGES = 200
_KEPT_PLANS = 20


class ChangeJournal:
    """One connection, of the thread that opened it."""

    def __init__(self, state_dir: Path, *, network: bool | None = None) -> None:
        path = database_path(state_dir, network=network)
        self._wal = path.parent == state_dir
        self._connection = open_database(path, wal=self._wal)
        try:
            migrate(self._connection, "changes", STEPS)
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
                f"INSERT INTO changes ({CHANGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
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
                f"INSERT INTO changes_actions (change_id, {ACTION_COLUMNS})"  # noqa: S608 - our own column names
                f" VALUES ({', '.join('?' * 22)})",
                [(change.id, *row_of(action)) for action in actions],
            )
            self._forget_oldest()

    def get(self, change_id: str) -> Change | None:
        """Return a change with its counts."""
        return next(iter(self._changes("WHERE id = ?", (change_id,))), None)

    def recent(self, limit: int) -> list[Change]:
        """Return the newest changes that were begun, newest first; plans that were only looked at are left out."""
        return self._changes("WHERE state != 'planned' ORDER BY created_at DESC, rowid DESC LIMIT ?", (limit,))

    def actions(self, change_id: str, *, only_left: bool = False) -> list[Action]:
        """Return the actions of a change in order, or of those what was to be done and is not."""
        which = " AND step NOT IN ('done', 'gone') AND act NOT IN ('skip', 'leave')" if only_left else ""
        rows = self._connection.execute(
            f"SELECT {ACTION_COLUMNS} FROM changes_actions WHERE change_id = ?{which} ORDER BY number",  # noqa: S608
            (change_id,),
        )
        return [action_of(row) for row in rows]

    def copies(self, change_id: str) -> list[Action]:
        """Return the actions of a change that need space and have not begun."""
        rows = self._connection.execute(
            f"SELECT {ACTION_COLUMNS} FROM changes_actions"  # noqa: S608 - our own column names
            " WHERE change_id = ? AND method = 'copy' AND step = 'planned'",
            (change_id,),
        )
        return [action_of(row) for row in rows]

    def known(self, change_id: str) -> list[Action]:
        """Return the actions that brought files back of which something was known."""
        rows = self._connection.execute(
            f"SELECT {ACTION_COLUMNS} FROM changes_actions"  # noqa: S608 - our own column names
            " WHERE change_id = ? AND known IS NOT NULL AND act != 'trash' AND step = 'done'",
            (change_id,),
        )
        return [action_of(row) for row in rows]

    def set_state(self, change_id: str, state: ChangeState, *, undone_by: str | None = None) -> None:
        """Note where a change stands.

        That one begins need not be on the disk at once: its first actions begin by a write that is, and takes it along.
        Raises: StorageError.
        """
        ended = time.time() if state in {ChangeState.APPLIED, ChangeState.STOPPED} else None
        with self._transaction(durable=state is not ChangeState.APPLYING):
            self._connection.execute(
                "UPDATE changes SET state = ?, ended_at = coalesce(?, ended_at), undone_by = coalesce(?, undone_by)"
                " WHERE id = ?",
                (state.value, ended, undone_by, change_id),
            )

    def turn(
        self,
        change_id: str,
        *,
        as_planned: range | None = None,
        outcomes: Iterable[tuple[int, Outcome]] = (),
        starting: range | None = None,
    ) -> None:
        """Write what became of some actions, and that others begin: one step, durable before these do.

        `as_planned` are numbers of started actions that are done, with the file of the plan at its target (or gone,
        where the action takes it away), but for those whose `outcomes` are told; `starting` are numbers of planned
        ones. Raises: StorageError.
        """
        with self._transaction(durable=starting is not None):
            if as_planned is not None:
                self._connection.execute(
                    "UPDATE changes_actions SET step = 'done', note = NULL,"
                    " made = CASE WHEN act IN ('remove', 'drop') THEN NULL ELSE facts END"
                    " WHERE change_id = ? AND number BETWEEN ? AND ? AND step = 'started'",
                    (change_id, as_planned.start, as_planned.stop - 1),
                )
            self._connection.executemany(
                "UPDATE changes_actions SET step = ?, note = ?, made = ?, method = coalesce(?, method)"
                " WHERE change_id = ? AND number = ?",
                [(*outcome_row(outcome), change_id, number) for number, outcome in outcomes],
            )
            if starting is not None:
                self._connection.execute(
                    "UPDATE changes_actions SET step = 'started' WHERE change_id = ? AND number BETWEEN ? AND ?"
                    " AND step = 'planned' AND act NOT IN ('skip', 'leave')",
                    (change_id, starting.start, starting.stop - 1),
                )

    def staged(self, change_id: str, number: int, facts: FileFacts) -> None:
        """Note the file that is about to get an action's name. Raises: StorageError."""
        with self._transaction():
            self._connection.execute(
                "UPDATE changes_actions SET staged = ? WHERE change_id = ? AND number = ?",
                (facts_text(facts), change_id, number),
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
            f"SELECT change_id, at, {ACTION_COLUMNS} FROM changes_actions"  # noqa: S608 - our own column names
            " JOIN (SELECT id, created_at AS at FROM changes WHERE state IN ('applied', 'stopped', 'applying'))"
            " ON id = change_id WHERE act = 'trash' AND step = 'done' ORDER BY at DESC, number"
        )
        return [(row[0], row[1], action_of(row[2:])) for row in rows]

    def emptied(self, change_id: str) -> None:
        """Note that what a change dropped is in nobody's trash any more. Raises: StorageError."""
        with self._transaction():
            self._connection.execute(
                "UPDATE changes_actions SET step = 'gone' WHERE act = 'trash' AND target IN"
                " (SELECT source FROM changes_actions WHERE change_id = ? AND act = 'drop' AND step = 'done')",
                (change_id,),
            )

    def _changes(self, where: str, values: Sequence[object]) -> list[Change]:
        rows = self._connection.execute(f"SELECT {CHANGE_COLUMNS} FROM changes {where}", values).fetchall()  # noqa: S608
        return [self._counted(change_of(row)) for row in rows]

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
    def _transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Commit at the end. What is not durable survives a kill, and a power loss from the next durable one on."""
        try:
            # Without WAL only FULL keeps the file whole (sqlite.org/pragma.html#pragma_synchronous).
            self._connection.execute(f"PRAGMA synchronous={'FULL' if durable or not self._wal else 'NORMAL'}")
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
