"""A plan carried out: action after action, each noted before and after, in turns that cost one write of the journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..publish import sync_folder
from ..records.change import Action, ChangeKind, ChangeState, FileFacts, Method, Outcome, Step
from .deed import Hands
from .journal import ChangeJournal
from .perform import perform

#: Links and renames take microseconds, a durable write of the journal milliseconds: they share it.
_TURN_ACTIONS = 1000
_QUICK = frozenset({Method.HARD, Method.SYMLINK, Method.RENAME, None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a change is."""

    done_actions: int
    total_actions: int
    done_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Who may stop a change, and who is told. `leaving` keeps it for the next engine, `cancelled` ends it here."""

    cancelled: Callable[[], bool] = lambda: False
    leaving: Callable[[], bool] = lambda: False
    tell: Callable[[Progress], None] = lambda _progress: None

    def stop(self) -> bool:
        """Tell whether to stop before the next step."""
        return self.cancelled() or self.leaving()


def apply_change(journal: ChangeJournal, change_id: str, watcher: Watcher) -> set[Path]:
    """Carry out what is left of a change, and return the folders it touched.

    The change is APPLIED afterwards, STOPPED where it was cancelled or a volume is away, and still APPLYING where the
    engine leaves. Raises: StorageError: the journal cannot be written; what was done is found by the next start.
    """
    actions = [action for action in journal.actions(change_id) if not action.act.idle]
    run = _Run(journal, change_id, actions, watcher)
    try:
        run.all()
    except InterruptedError:
        if not watcher.leaving():
            journal.set_state(change_id, ChangeState.STOPPED)
        return run.touched
    _end(journal, change_id, stuck=run.stuck)
    return run.touched


def _end(journal: ChangeJournal, change_id: str, *, stuck: bool) -> None:
    change = journal.get(change_id)
    if change is not None and change.kind is ChangeKind.EMPTY:
        journal.emptied(change_id)
    if change is not None and change.undoes is not None and not stuck:
        journal.set_state(change.undoes, ChangeState.UNDONE, undone_by=change_id)
    journal.set_state(change_id, ChangeState.STOPPED if stuck else ChangeState.APPLIED)


class _Run:
    """One go at a change."""

    def __init__(self, journal: ChangeJournal, change_id: str, actions: list[Action], watcher: Watcher) -> None:
        self._journal = journal
        self._change_id = change_id
        self._actions = actions
        self._watcher = watcher
        self._steps = {action.number: action.step for action in actions}
        self._bytes = 0
        self.touched: set[Path] = set()
        self.stuck = False

    def all(self) -> None:
        """Go on where the last go ended. Raises: InterruptedError: it was stopped between two actions."""
        began = [action for action in self._actions if action.step is Step.STARTED]
        for turn in _turns(began):
            self._journal.turn(self._change_id, self._outcomes(turn, resumed=True))
        left = [action for action in self._actions if action.step is Step.PLANNED]
        for turn in _turns(left):
            if self._watcher.stop():
                raise InterruptedError("stopped")
            self._journal.turn(self._change_id, starting=[action.number for action in turn])
            self._journal.turn(self._change_id, self._outcomes(turn, resumed=False))

    def _outcomes(self, turn: list[Action], *, resumed: bool) -> list[tuple[int, Outcome]]:
        outcomes: list[tuple[int, Outcome]] = []
        folders: set[str] = set()
        try:
            for action in turn:
                outcome = self._one(action, resumed=resumed)
                outcomes.append((action.number, outcome))
                self._steps[action.number] = outcome.step
                self.stuck = self.stuck or outcome.step is Step.STARTED
                folders.update(os.path.dirname(path) for path in (action.source, action.target) if path is not None)  # noqa: PTH120 - a Path costs more than the link itself
                self._bytes += action.size_bytes
        except InterruptedError:
            # What was cut off is as if it had not begun: its spare file is gone.
            cut = turn[len(outcomes) :]
            self._journal.turn(
                self._change_id, [*outcomes, *((action.number, Outcome(step=Step.PLANNED)) for action in cut)]
            )
            raise
        finally:
            paths = {Path(folder) for folder in folders}
            for path in paths:
                sync_folder(path)
            self.touched |= paths
        self._tell()
        return outcomes

    def _one(self, action: Action, *, resumed: bool) -> Outcome:
        if action.follows is not None and self._steps.get(action.follows) is not Step.DONE:
            return Outcome(step=Step.SKIPPED, note="it stays beside its model")
        hands = Hands(
            cancelled=self._watcher.stop,
            staged=lambda facts: self._staged(action.number, facts),
            resumed=resumed,
        )
        return perform(action, hands)

    def _staged(self, number: int, facts: FileFacts) -> None:
        self._journal.staged(self._change_id, number, facts)

    def _tell(self) -> None:
        settled = sum(step not in {Step.PLANNED, Step.STARTED} for step in self._steps.values())
        self._watcher.tell(Progress(done_actions=settled, total_actions=len(self._steps), done_bytes=self._bytes))


def _turns(actions: list[Action]) -> Iterator[list[Action]]:
    """Cut a list into turns: many quick actions, or one that copies."""
    turn: list[Action] = []
    for action in actions:
        if action.method not in _QUICK:
            if turn:
                yield turn
            yield [action]
            turn = []
            continue
        turn.append(action)
        if len(turn) >= _TURN_ACTIONS:
            yield turn
            turn = []
    if turn:
        yield turn
