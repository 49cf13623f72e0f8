"""Changes of files at rest: a plan that can be looked at, what became of its actions, and what takes it back."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ChangeKind(StrEnum):
    """What was asked for."""

    ORGANISE = "organise"
    DEDUPE = "dedupe"
    DELETE = "delete"
    PRUNE = "prune"
    EMPTY = "empty"
    UNDO = "undo"

    @property
    def deletes(self) -> bool:
        """True for what COMFYSTOW_NO_DELETE forbids."""
        return self in {ChangeKind.DELETE, ChangeKind.PRUNE, ChangeKind.EMPTY}


class ChangeState(StrEnum):
    """Where a change stands. An APPLYING one that no engine works on is finished by the next engine's start."""

    PLANNED = "planned"
    APPLYING = "applying"
    APPLIED = "applied"
    STOPPED = "stopped"
    UNDONE = "undone"


class Act(StrEnum):
    """What an action does to its files; `from` and `to` as a reader of the plan expects them."""

    LINK = "link"
    """`to` becomes another name or a copy of `from`."""
    MOVE = "move"
    TRASH = "trash"
    """A move into the trash."""
    RESTORE = "restore"
    """A move out of it."""
    REPLACE = "replace"
    """`to`, which holds the same bytes as `from`, becomes a link to it."""
    SPLIT = "split"
    """Takes REPLACE back: `to`, one file with `from`, becomes a file of its own again."""
    REMOVE = "remove"
    """Takes LINK back: `from` goes away; `to` is where its content must still be."""
    DROP = "drop"
    """`from` is deleted for good."""
    SKIP = "skip"
    """Nothing is to be done; the reason says why."""
    LEAVE = "leave"
    """Nothing can be done without a choice; the conflict says which."""

    @property
    def moves(self) -> bool:
        """True where `from` gets the name `to`."""
        return self in {Act.MOVE, Act.TRASH, Act.RESTORE}

    @property
    def idle(self) -> bool:
        """True where nothing happens on the disk."""
        return self in {Act.SKIP, Act.LEAVE}


class Method(StrEnum):
    """How a name comes to hold its bytes."""

    HARD = "hard"
    REFLINK = "reflink"
    SYMLINK = "symlink"
    COPY = "copy"
    RENAME = "rename"


class LinkPolicy(StrEnum):
    """What the caller wants: AUTO takes links that need no space, and asks where there are none."""

    AUTO = "auto"
    HARD = "hard"
    REFLINK = "reflink"
    SYM = "sym"
    COPY = "copy"
    MOVE = "move"


class Step(StrEnum):
    """How far an action is. STARTED may or may not have reached the disk: whoever comes next looks."""

    PLANNED = "planned"
    STARTED = "started"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    GONE = "gone"
    """Done, and what it had put into the trash was deleted for good since."""


class FileFacts(NamedTuple):
    """What tells one file from another, without its device: that number changes when a volume is mounted again.

    A named tuple, because a change of many thousands looks at each of its files several times.
    """

    inode: int
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> FileFacts | None:
        """Look at a name, not through it; None where there is nothing. Raises: OSError: it cannot be looked at."""
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls.of_stat(found)

    @classmethod
    def of_stat(cls, found: os.stat_result) -> FileFacts:
        """Take them from what is known already; a folder or device is told by a size that no file has."""
        size = found.st_size if stat.S_IFMT(found.st_mode) in _FILES else -1
        return cls(found.st_ino, size, found.st_mtime_ns)


_FILES = (stat.S_IFREG, stat.S_IFLNK)


class Action(NamedTuple):
    """One row of a plan, and what became of it.

    `facts` are those of `source` when the plan was made (of REPLACE's `target` too: `target_facts`); a file that
    differs when the action's turn comes is left alone. `spare` is the passing name of what is being made, `staged` is
    that file once it is whole, `made` is what stood at `target` afterwards. `follows` is the action whose model this
    sidecar belongs to. `known` is what the index knew of a file that leaves the library (JSON): it comes back with it.

    A named tuple: one of so many fields is made in a tenth of the time, and a plan has tens of thousands.
    """

    number: int
    act: Act
    source: str
    target: str | None = None
    method: Method | None = None
    size_bytes: int = 0
    saved_bytes: int = 0
    reason: str = ""
    conflict: str | None = None
    kind: str | None = None
    evidence: str | None = None
    digest: str | None = None
    known: str | None = None
    follows: int | None = None
    facts: FileFacts | None = None
    target_facts: FileFacts | None = None
    spare: str | None = None
    staged: FileFacts | None = None
    made: FileFacts | None = None
    step: Step = Step.PLANNED
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an action; `method` where another one had to be taken."""

    step: Step
    note: str | None = None
    made: FileFacts | None = None
    method: Method | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file or folder that could not be looked at; the rest was."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A plan or what became of it. Bytes are those of its actions; times are seconds since the epoch."""

    id: str
    kind: ChangeKind
    title: str
    created_at: float
    state: ChangeState = ChangeState.PLANNED
    ended_at: float | None = None
    undoes: str | None = None
    undone_by: str | None = None
    bytes: int = 0
    saved_bytes: int = 0
    conflicts: int = 0
    problems: tuple[Problem, ...] = ()
    total: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
