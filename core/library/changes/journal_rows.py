"""The tables of the journal, and how a row becomes a record.

Paths and titles are bytes: SQLite's texts hold no surrogates, and a name need be no text.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from ...records.change import Act, Action, Change, ChangeKind, ChangeState, FileFacts, Method, Outcome, Problem, Step

STEPS = (
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
    "ALTER TABLE changes_actions ADD COLUMN known TEXT",
)
ACTION_COLUMNS = (
    "number, act, source, target, method, size_bytes, saved_bytes, reason, conflict, kind, evidence, digest, follows,"
    " facts, target_facts, spare, staged, made, step, note, known"
)
CHANGE_COLUMNS = (
    "id, kind, title, created_at, state, ended_at, undoes, undone_by, bytes, saved_bytes, conflicts, problems"
)


# Looked up ten thousand times a plan: a dict is four times as fast as the enum's own search.
_ACTS = {act.value: act for act in Act}
_METHODS: dict[str | None, Method | None] = {None: None, **{method.value: method for method in Method}}
_STEPS = {step.value: step for step in Step}

#: What `os.fsdecode` does, without its look at what it was given.
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def _text(path: bytes) -> str:
    return path.decode(_ENCODING, _ERRORS)


def row_of(action: Action) -> tuple[object, ...]:
    """Return the values of `ACTION_COLUMNS`."""
    return (
        action.number,
        action.act.value,
        os.fsencode(action.source),
        os.fsencode(action.target) if action.target is not None else None,
        action.method.value if action.method is not None else None,
        action.size_bytes,
        action.saved_bytes,
        text_of(action.reason),
        text_of(action.conflict),
        action.kind,
        text_of(action.evidence),
        action.digest,
        action.follows,
        facts_text(action.facts),
        facts_text(action.target_facts),
        os.fsencode(action.spare) if action.spare is not None else None,
        facts_text(action.staged),
        facts_text(action.made),
        action.step.value,
        text_of(action.note),
        action.known,
    )


def action_of(row: Sequence[Any]) -> Action:
    """Read the values of `ACTION_COLUMNS`."""
    return Action(
        number=row[0],
        act=_ACTS[row[1]],
        source=_text(row[2]),
        target=_text(row[3]) if row[3] is not None else None,
        method=_METHODS[row[4]],
        size_bytes=row[5],
        saved_bytes=row[6],
        reason=row[7],
        conflict=row[8],
        kind=row[9],
        evidence=row[10],
        digest=row[11],
        follows=row[12],
        facts=_facts_of(row[13]) if row[13] is not None else None,
        target_facts=_facts_of(row[14]) if row[14] is not None else None,
        spare=_text(row[15]) if row[15] is not None else None,
        staged=_facts_of(row[16]) if row[16] is not None else None,
        made=_facts_of(row[17]) if row[17] is not None else None,
        step=_STEPS[row[18]],
        note=row[19],
        known=row[20],
    )


def change_of(row: Sequence[Any]) -> Change:
    """Read the values of `CHANGE_COLUMNS`; what is counted over its actions is not among them."""
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


def text_of(value: str | None) -> str | None:
    """A name in a sentence need not be text; SQLite wants some."""
    return value.encode("utf-8", "backslashreplace").decode() if value is not None else None


def facts_text(facts: FileFacts | None) -> str | None:
    """Write facts as a column holds them."""
    return f"{facts.inode}:{facts.size_bytes}:{facts.mtime_ns}" if facts is not None else None


def _facts_of(text: str) -> FileFacts:
    inode, size, mtime = text.split(":")
    return FileFacts(int(inode), int(size), int(mtime))


def outcome_row(outcome: Outcome) -> tuple[str, str | None, str | None, str | None]:
    """Return step, note, made and method."""
    method = outcome.method.value if outcome.method is not None else None
    return outcome.step.value, text_of(outcome.note), facts_text(outcome.made), method
