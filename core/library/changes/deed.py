"""What all deeds share: what an action needs of its surroundings, and what must still be true when its turn comes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...records.change import Action, FileFacts, Method
from .link import make_copy, make_reflink


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """`staged` notes an action's finished spare file before it gets its name; `resumed` is true after a crash."""

    cancelled: Callable[[], bool]
    staged: Callable[[int, FileFacts], None]
    resumed: bool = False


class NotNowError(Exception):
    """The action is left alone; the text says why."""


def unchanged(path: str, facts: FileFacts | None) -> FileFacts:
    """Return what is there. Raises: NotNowError: it is not what the plan was made for."""
    now = FileFacts.of(path)
    if now is None:
        raise NotNowError("it is gone")
    if facts is not None and now != facts:
        raise NotNowError("it has changed since the plan was made")
    return now


def target_of(action: Action) -> str:
    """Return where to. Raises: NotNowError."""
    if action.target is None:
        raise NotNowError("the plan does not say where to")
    return action.target


def spare_of(action: Action) -> str:
    """Return the passing name. Raises: NotNowError."""
    if action.spare is None:
        raise NotNowError("the plan has no room for what is made")
    return action.spare


def with_parent(deed: Callable[[], None], target: str) -> None:
    """Do it, in a folder that is made for it."""
    try:
        deed()
    except FileNotFoundError:
        parent = Path(target).parent
        if parent.is_dir():
            raise
        parent.mkdir(parents=True, exist_ok=True)
        deed()


def published(action: Action, target: str) -> FileFacts | None:
    """Return what stands at the target where it is the file that we were about to put there."""
    there = FileFacts.of(target)
    return there if there is not None and there == action.staged else None


def fill_spare(action: Action, hands: Hands, source: Path, spare: Path) -> Method:
    """A copy shares its blocks where that is possible: it is as good, and costs nothing."""
    spare.unlink(missing_ok=True)  # what a crash left; nobody else makes this name
    spare.parent.mkdir(parents=True, exist_ok=True)
    if make_reflink(source, spare):
        return Method.REFLINK
    if action.method is Method.REFLINK:
        raise OSError(errno.EOPNOTSUPP, "this volume has no reflinks: choose hard links or a copy")
    make_copy(source, spare, action.digest, hands.cancelled)
    return Method.COPY
