"""A plan carried out: action after action, each noted before and after, in turns that cost one write of the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...publish import sync_folder
from ...records.change import Act, Action, ChangeKind, ChangeState, FileFacts, Method, Outcome, Step
from .deed import Hands
from .journal import ChangeJournal
from .perform import perform

#: Links and renames take microseconds, a durable write of the journal milliseconds: they share it.
_TURN_ACTIONS = 10_000
_QUICK = frozenset({Method.HARD, Method.SYMLINK, Method.RENAME, None})
_TAKE_AWAY = frozenset({Act.REMOVE, Act.DROP})


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


def apply_change(journal: ChangeJournal, change_id: str, watcher: Watcher) -> int:
    """Carry out what is left of a change, and return how many actions were looked at.

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
        return run.count
    _end(journal, change_id, stuck=run.stuck)
    return run.count


def _end(journal: ChangeJournal, change_id: str, *, stuck: bool) -> None:
    change = journal.get(change_id)
    if change is not None and change.kind is ChangeKind.EMPTY:
        journal.emptied(change_id)
    if change is not None and change.undoes is not None and not stuck:
        journal.set_state(change.undoes, ChangeState.UNDONE, undone_by=change_id)
    journal.set_state(change_id, ChangeState.STOPPED if stuck else ChangeState.APPLIED)


@dataclass(frozen=True, slots=True)
class _Turn:
    """Actions that share a write of the journal, and the outcomes of those that did not go as planned."""

    actions: list[Action]
    outcomes: list[tuple[int, Outcome]] = field(default_factory=list)


class _Run:
    """One go at a change."""

    def __init__(self, journal: ChangeJournal, change_id: str, actions: list[Action], watcher: Watcher) -> None:
        self._journal = journal
        self._change_id = change_id
        self._actions = actions
        self._watcher = watcher
        self._steps = {action.number: action.step for action in actions}
        self._settled = sum(step not in {Step.PLANNED, Step.STARTED} for step in self._steps.values())
        self._bytes = 0
        self._hands = Hands(cancelled=watcher.stop, staged=self._staged)
        self._resuming = Hands(cancelled=watcher.stop, staged=self._staged, resumed=True)
        self.count = 0
        self.stuck = False

    def all(self) -> None:
        """Go on where the last go ended. Raises: InterruptedError: it was stopped between two actions."""
        last: _Turn | None = None
        for turn in _turns([action for action in self._actions if action.step is Step.STARTED]):
            self._note(self._carried_out(turn, resumed=True))
        for turn in _turns([action for action in self._actions if action.step is Step.PLANNED]):
            if self._watcher.stop():
                self._note(last)
                raise InterruptedError("stopped")
            self._note(last, starting=turn)
            last = self._carried_out(turn, resumed=False)
        self._note(last)

    def _note(self, last: _Turn | None, starting: list[Action] | None = None) -> None:
        """Write down a turn that is over and the one that begins; what cost nothing to foresee costs nothing here."""
        if last is None and starting is None:
            return
        self._journal.turn(
            self._change_id,
            as_planned=_numbers(last.actions) if last is not None else None,
            outcomes=last.outcomes if last is not None else (),
            starting=_numbers(starting) if starting is not None else None,
        )

    def _carried_out(self, actions: list[Action], *, resumed: bool) -> _Turn:
        turn = _Turn(actions)
        count = 0
        folders: set[str] = set()
        try:
            for action in actions:
                outcome = self._one(action, resumed=resumed)
                count += 1
                self._steps[action.number] = outcome.step
                self.stuck = self.stuck or outcome.step is Step.STARTED
                if not _as_planned(action, outcome):
                    turn.outcomes.append((action.number, outcome))
                folders.add(action.source.rpartition("/")[0])
                folders.add((action.target or action.source).rpartition("/")[0])
                self._bytes += action.size_bytes
        except InterruptedError:
            # What was cut off is as if it had not begun: its spare file is gone.
            turn.outcomes.extend((action.number, Outcome(step=Step.PLANNED)) for action in actions[count:])
            self._note(turn)
            raise
        finally:
            for folder in folders:
                sync_folder(Path(folder))
            self.count += count
        self._settled += count
        self._tell()
        return turn

    def _one(self, action: Action, *, resumed: bool) -> Outcome:
        if action.follows is not None and self._steps.get(action.follows) is not Step.DONE:
            return Outcome(step=Step.SKIPPED, note="it stays beside its model")
        return perform(action, self._resuming if resumed else self._hands)

    def _staged(self, number: int, facts: FileFacts) -> None:
        self._journal.staged(self._change_id, number, facts)

    def _tell(self) -> None:
        self._watcher.tell(Progress(done_actions=self._settled, total_actions=len(self._steps), done_bytes=self._bytes))


def _as_planned(action: Action, outcome: Outcome) -> bool:
    made = None if action.act in _TAKE_AWAY else action.facts
    same = outcome.made == made and outcome.method in {None, action.method}
    return same and outcome.step is Step.DONE and outcome.note is None


def _numbers(actions: list[Action]) -> range:
    """Return the numbers of neighbours in a plan, with those of rows between them that are over or do nothing."""
    return range(actions[0].number, actions[-1].number + 1)


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
