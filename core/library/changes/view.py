"""What callers see of changes: plain data; host paths only for callers on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ...paths import NON_MODEL_FOLDERS
from ...records.change import Action, Change, ChangeKind, ChangeState
from ...records.model import FolderLayout
from ..view import printable
from .ground import HIDDEN_FOLDER


class Names:
    """Turns paths into what a caller may see: itself, or the folder's name and what lies below it."""

    def __init__(self, layout: FolderLayout, *, with_paths: bool) -> None:
        self._with_paths = with_paths
        self._roots = sorted(
            (
                (os.path.realpath(directory), name)
                for name, folder in layout.folders.items()
                if name not in NON_MODEL_FOLDERS
                for directory in folder.directories
            ),
            key=lambda pair: -len(pair[0]),
        )
        self._folders: dict[str, str] = {}

    def of(self, path: str | None) -> str | None:
        """Return the name of a path."""
        if path is None:
            return None
        if self._with_paths:
            return path if path.isascii() else printable(path)
        parent, name = os.path.split(path)
        if parent not in self._folders:
            self._folders[parent] = self._folder(parent)
        return printable(f"{self._folders[parent]}/{name}")

    def _folder(self, parent: str) -> str:
        real = os.path.realpath(parent)
        for root, name in self._roots:
            if real == root or real.startswith(root.rstrip("/") + "/"):
                return name + real[len(root.rstrip("/")) :]
        return "trash" if f"/{HIDDEN_FOLDER}/trash" in real else "…"


def change_json(change: Change) -> dict[str, Any]:
    """Return a change without its actions."""
    return {
        "id": change.id,
        "kind": change.kind.value,
        "state": change.state.value,
        "title": printable(change.title),
        "created_at": change.created_at,
        "ended_at": change.ended_at,
        "undoes": change.undoes,
        "undone_by": change.undone_by,
        "undoable": change.done > 0
        and change.state in {ChangeState.APPLIED, ChangeState.STOPPED}
        and change.kind is not ChangeKind.EMPTY,
        "bytes": change.bytes,
        "saved_bytes": change.saved_bytes,
        "conflicts": change.conflicts,
        "total": change.total,
        "done": change.done,
        "skipped": change.skipped,
        "failed": change.failed,
    }


def plan_json(change: Change, actions: Sequence[Action], names: Names) -> dict[str, Any]:
    """Return a change with its actions and problems."""
    return {
        **change_json(change),
        "actions": [_action_json(action, names) for action in actions],
        "problems": [
            {"path": names.of(problem.path) if problem.path else None, "reason": problem.reason}
            for problem in change.problems
        ],
    }


def _action_json(action: Action, names: Names) -> dict[str, Any]:
    return {
        "number": action.number,
        "action": action.act.value,
        "from": names.of(action.source),
        "to": names.of(action.target),
        "method": action.method.value if action.method is not None else None,
        "bytes": action.size_bytes,
        "saved_bytes": action.saved_bytes,
        "reason": action.reason,
        "conflict": action.conflict,
        "kind": action.kind,
        "evidence": action.evidence,
        "follows": action.follows,
        "step": action.step.value,
        "note": action.note,
    }


def trash_json(change_id: str, deleted_at: float, action: Action, names: Names) -> dict[str, Any]:
    """Return one thing in the trash."""
    return {
        "change": change_id,
        "number": action.number,
        "from": names.of(action.source),
        "name": printable(os.path.basename(action.source)),  # noqa: PTH119
        "bytes": action.size_bytes,
        "saved_bytes": action.saved_bytes,
        "deleted_at": deleted_at,
        "there": action.target is not None and os.path.lexists(action.target),
    }
