"""Deeds that make a name: another one for a file, a symbolic link, or an equal file of its own."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ...errors import NameTakenError
from ...publish import rename_without_replacing, sync_folder
from ...records.change import Action, FileFacts, Method, Outcome, Step
from .deed import Hands, NotNowError, fill_spare, published, spare_of, target_of, unchanged, with_parent
from .link import NO_LINKS, make_reflink

_NO_LINK = "this volume has no links for it: choose copy, symlink or move"
_WHY_NO_LINK = {
    errno.EMLINK: "it has as many names as its volume allows: choose copy",
    errno.EPERM: "the system permits no link to it (another user's, or a volume without links): choose copy",
}


def link(action: Action, hands: Hands) -> Outcome:
    """Give a file another name, or make an equal one."""
    if action.method is Method.HARD:
        return _link_hard(action, hands)
    if action.method is Method.SYMLINK:
        return _link_symbolic(action, hands)
    return make_equal(action, hands)


def _link_hard(action: Action, hands: Hands) -> Outcome:
    target = target_of(action)
    now = unchanged(action.source, action.facts)
    try:
        with_parent(lambda: os.link(action.source, target, follow_symlinks=False), target)
    except FileExistsError:
        there = FileFacts.of(target)
        ours = there is not None and (there.inode == now.inode or there == action.staged)
        if hands.resumed and ours:
            return Outcome(step=Step.DONE, made=there)
        raise NotNowError(_taken(there, now)) from None
    except OSError as err:
        if err.errno not in NO_LINKS or action.spare is None:
            raise
        return _instead_of_link(action, hands, err)
    made = FileFacts.of(target)
    if made is None or made.inode != now.inode:
        raise NotNowError("it was replaced while it was linked")
    return Outcome(step=Step.DONE, made=made)


def _instead_of_link(action: Action, hands: Hands, err: OSError) -> Outcome:
    """A volume without hard links may have reflinks; a copy would need space that nobody agreed to."""
    spare = Path(spare_of(action))
    spare.unlink(missing_ok=True)  # what a crash left
    spare.parent.mkdir(parents=True, exist_ok=True)
    if not make_reflink(Path(action.source), spare):
        raise OSError(err.errno, _WHY_NO_LINK.get(err.errno or 0, _NO_LINK))
    return _publish(action, hands, spare, method=Method.REFLINK)


def _link_symbolic(action: Action, hands: Hands) -> Outcome:
    target = target_of(action)
    unchanged(action.source, action.facts)
    try:
        with_parent(lambda: Path(target).symlink_to(action.source), target)
    except FileExistsError:
        ours = hands.resumed and Path(target).is_symlink() and str(Path(target).readlink()) == action.source
        if not ours:
            raise NotNowError("another file has that name now") from None
    return Outcome(step=Step.DONE, made=FileFacts.of(target))


def make_equal(action: Action, hands: Hands) -> Outcome:
    """Make a file of its own with the same bytes, and give it the name."""
    target, spare = target_of(action), Path(spare_of(action))
    if hands.resumed and (there := published(action, target)) is not None:
        return Outcome(step=Step.DONE, made=there)
    unchanged(action.source, action.facts)
    if os.path.lexists(target):
        raise NotNowError("another file has that name now")
    method = fill_spare(action, hands, Path(action.source), spare)
    unchanged(action.source, action.facts)
    return _publish(action, hands, spare, method=method)


def _publish(action: Action, hands: Hands, spare: Path, *, method: Method) -> Outcome:
    facts, target = FileFacts.of(spare), target_of(action)
    if facts is None:
        raise NotNowError("what was made for it went away")
    hands.staged(action.number, facts)
    try:
        with_parent(lambda: rename_without_replacing(spare, Path(target)), target)
    except NameTakenError:
        spare.unlink(missing_ok=True)
        raise
    sync_folder(Path(target).parent)
    return Outcome(step=Step.DONE, made=facts, method=method)


def _taken(there: FileFacts | None, wanted: FileFacts) -> str:
    same = there is not None and there.inode == wanted.inode
    return "it is there already" if same else "another file has that name now"
