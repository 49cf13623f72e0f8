"""Deeds that let one of two equal files take the other's place, and take that back.

The files are exchanged first and compared then: one that changed at the last moment is put back.
"""

from __future__ import annotations

import os
from pathlib import Path

from ...publish import exchange_names
from ...records.change import Action, FileFacts, Method, Outcome, Step
from .deed import Hands, NotNowError, fill_spare, spare_of, target_of, unchanged


def replace(action: Action, hands: Hands) -> Outcome:
    """Let `target` be a link to `source`, whose bytes it holds."""
    target, spare = target_of(action), spare_of(action)
    wanted = action.facts if action.method is Method.HARD else action.staged
    if hands.resumed and (done := _placed_already(target, spare, wanted, action.target_facts)) is not None:
        return done
    keeper = unchanged(action.source, action.facts)
    unchanged(target, action.target_facts)
    if action.method is Method.HARD:
        _link_spare(action.source, spare)
        made = keeper
    else:
        made = _own_file(action, hands, Path(action.source), Path(spare))
    _take_place(spare, target, action.target_facts)
    return Outcome(step=Step.DONE, made=made)


def split(action: Action, hands: Hands) -> Outcome:
    """Make `target` a file of its own again, with the time it had."""
    target, spare = target_of(action), spare_of(action)
    if hands.resumed and (done := _placed_already(target, spare, action.staged, action.facts)) is not None:
        return done
    unchanged(target, action.facts)
    if os.lstat(target).st_nlink < 2:
        raise NotNowError("it is the only name of its file by now: there is nothing to take apart")
    made = _own_file(action, hands, Path(target), Path(spare))
    _take_place(spare, target, action.facts)
    return Outcome(step=Step.DONE, made=made)


def _link_spare(source: str, spare: str) -> None:
    """Give a file its passing name; the usual case costs one call."""
    try:
        os.link(source, spare, follow_symlinks=False)
    except FileExistsError:  # what a crash left; nobody else makes this name
        _unlink(spare)
        os.link(source, spare, follow_symlinks=False)
    except FileNotFoundError:
        Path(spare).parent.mkdir(parents=True, exist_ok=True)
        os.link(source, spare, follow_symlinks=False)


def _unlink(name: str) -> None:
    os.unlink(name)  # noqa: PTH108 - a `Path` for each of many thousands takes longer than what the system does


def _own_file(action: Action, hands: Hands, source: Path, spare: Path) -> FileFacts:
    """Fill the spare from `source`, with the time that the file at `target` has or had."""
    try:
        fill_spare(action, hands, source, spare)
        if action.target_facts is not None:
            os.utime(spare, ns=(action.target_facts.mtime_ns, action.target_facts.mtime_ns))
        made = unchanged(str(spare), None)
        hands.staged(action.number, made)
    except BaseException:
        spare.unlink(missing_ok=True)
        raise
    return made


def _take_place(spare: str, target: str, expected: FileFacts | None) -> None:
    """Put `spare` where `target` is, if that is still the expected file; the old one is gone afterwards."""
    try:
        exchanged = exchange_names(spare, target)
    except OSError:
        _unlink(spare)
        raise
    if not exchanged:
        if FileFacts.of(target) != expected:
            _unlink(spare)
            raise NotNowError("it changed at the last moment")
        Path(spare).replace(target)
        return
    if FileFacts.of(spare) != expected:
        exchange_names(spare, target)
        _unlink(spare)
        raise NotNowError("it changed at the last moment, and was put back")
    _unlink(spare)


def _placed_already(target: str, spare: str, wanted: FileFacts | None, old: FileFacts | None) -> Outcome | None:
    """After a crash: tell whether the files were exchanged, and clear away what came out of its place."""
    there, aside = FileFacts.of(target), FileFacts.of(spare)
    if there is None:
        return None
    if wanted is None or there.inode != wanted.inode:
        Path(spare).unlink(missing_ok=True)  # they were not exchanged: it is what was being made
        return None
    if aside is not None and aside != old:
        _take_place(spare, target, there)
        raise NotNowError("it changed at the last moment, and was put back")
    Path(spare).unlink(missing_ok=True)
    return Outcome(step=Step.DONE, made=there)
