"""What takes a change back: each action's opposite, last first. It is a plan like any other, and as safe."""

from __future__ import annotations

from collections.abc import Callable

from ...records.change import Act, Action, Method, Step

_MOVED_BACK = {Act.MOVE: Act.MOVE, Act.TRASH: Act.RESTORE, Act.RESTORE: Act.TRASH}


def opposites(actions: list[Action], spare_of: Callable[[str, int], str]) -> list[Action]:
    """Return the actions that take back what was done (pure). `spare_of` names a passing file beside a path."""
    done = [action for action in actions if action.step is Step.DONE]
    found = [opposite for action in reversed(done) if (opposite := _opposite(action)) is not None]
    return [
        action._replace(number=number, spare=spare_of(action.target or action.source, number))
        for number, action in enumerate(found)
    ]


def _opposite(action: Action) -> Action | None:
    if action.target is None:
        return None  # what was deleted for good
    clean = action._replace(staged=None, made=None, step=Step.PLANNED, note=None, conflict=None, follows=None)
    if action.act.moves:
        return _back(clean, action, _MOVED_BACK[action.act])
    if action.act is Act.LINK:
        return _back(clean, action, Act.REMOVE)
    if action.act is Act.REMOVE:
        return _back(clean, action, Act.LINK if action.made is None else Act.MOVE)
    if action.act is Act.REPLACE:
        return clean._replace(act=Act.SPLIT, method=Method.COPY, facts=action.made, reason="a file of its own again")
    if action.act is Act.SPLIT:
        return clean._replace(
            act=Act.REPLACE, method=Method.HARD, facts=action.facts, target_facts=action.made, reason="linked"
        )
    return None


def _back(clean: Action, done: Action, act: Act) -> Action:
    """Swap both ends. What REMOVE took away is known by what it was made from."""
    return clean._replace(
        act=act,
        source=done.target or done.source,
        target=done.source,
        facts=done.made or done.target_facts,
        target_facts=done.facts,
        reason="taken back",
    )
