"""Deeds that move, and deeds that take away: a file is never gone before it stands somewhere else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ...publish import rename_without_replacing, sync_folder
from ...records.change import Action, FileFacts, Method, Outcome, Step
from .deed import Hands, NotNowError, published, target_of, unchanged, with_parent
from .make import make_equal


def move(action: Action, hands: Hands) -> Outcome:
    """Give a file another name; on another volume a proven copy of it, and only then the original goes."""
    target = target_of(action)
    if hands.resumed and (done := _moved_already(action, target)) is not None:
        return done
    unchanged(action.source, action.facts)
    if hands.resumed and published(action, target) is not None:
        return _leave_source(action, target)
    if action.method is not Method.COPY:
        try:
            with_parent(lambda: rename_without_replacing(action.source, target), target)
        except OSError as err:
            if err.errno != errno.EXDEV:
                raise
        else:
            return Outcome(step=Step.DONE, made=FileFacts.of(target), method=Method.RENAME)
    if Path(action.source).is_symlink():
        raise NotNowError("a symbolic link does not move to another volume")
    make_equal(action, hands)
    return _leave_source(action, target)


def _moved_already(action: Action, target: str) -> Outcome | None:
    source, there = FileFacts.of(action.source), FileFacts.of(target)
    if there is None or there != (action.staged or action.facts):
        return None
    if source is None:
        return Outcome(step=Step.DONE, made=there)
    if source.inode == there.inode and action.staged is None:  # linked by a volume without a better call
        Path(action.source).unlink()
        return Outcome(step=Step.DONE, made=there)
    return None


def _leave_source(action: Action, target: str) -> Outcome:
    """The copy is proven and on the disk: the original goes, if it is still what was copied."""
    made = FileFacts.of(target)
    if FileFacts.of(action.source) == action.facts:
        Path(action.source).unlink()
        sync_folder(Path(action.source).parent)
        return Outcome(step=Step.DONE, made=made, method=Method.COPY)
    return Outcome(step=Step.DONE, made=made, method=Method.COPY, note="the original changed meanwhile, and stays")


def remove(action: Action, hands: Hands) -> Outcome:
    """Take a name away that a change made; where it has become the only place of its content, move it back."""
    if hands.resumed and FileFacts.of(action.source) is None:
        return Outcome(step=Step.DONE, note="it is gone")
    now = unchanged(action.source, action.facts)
    original = FileFacts.of(target_of(action))
    if original is None and action.method is not Method.SYMLINK:
        return move(action, hands)
    same = original is not None and (
        original.inode == now.inode if action.method is Method.HARD else original == action.target_facts
    )
    if not same and action.method is not Method.SYMLINK:
        raise NotNowError("the file it came from has changed: it stays")
    os.unlink(action.source)  # noqa: PTH108 - once a file of a change of many thousands
    return Outcome(step=Step.DONE)


def drop(action: Action, hands: Hands) -> Outcome:
    """Delete for good."""
    if hands.resumed and FileFacts.of(action.source) is None:
        return Outcome(step=Step.DONE)
    unchanged(action.source, action.facts)
    path = Path(action.source)
    path.unlink()
    for folder in path.parents[:2]:  # that of its change, and the trash itself
        try:
            folder.rmdir()
        except OSError:
            break
    return Outcome(step=Step.DONE)
