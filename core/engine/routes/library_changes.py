"""Rows of the library that change files at rest: each shows a plan first."""

from __future__ import annotations

from ..change_bodies import (
    DedupeRequest,
    DeleteRequest,
    EmptyTrashRequest,
    OrganiseRequest,
    PruneRequest,
    UndoRequest,
)
from .route import Route

_RETURNS = (
    "the plan `{id, kind, state, actions, bytes, saved_bytes, conflicts, problems, …}`, once it is carried out with"
    " those `actions` alone that are not done; 202 while it goes on"
)


def _changing(path: str, name: str, summary: str, request: type) -> Route:
    return Route(method="POST", path=path, name=name, summary=summary, returns=_RETURNS, request=request)


LIBRARY_CHANGES_ROUTES: tuple[Route, ...] = (
    _changing(
        "/library/organise",
        "library.organise",
        "Plan where the models of a folder belong, or carry such a plan out",
        OrganiseRequest,
    ),
    _changing(
        "/library/dedupe",
        "library.dedupe",
        "Plan one copy of equal files, or carry such a plan out",
        DedupeRequest,
    ),
    _changing(
        "/library/delete",
        "library.delete",
        "Plan to move files into the trash, or carry such a plan out",
        DeleteRequest,
    ),
    _changing(
        "/library/prune",
        "library.prune",
        "Plan what goes so that the library fits a size, or carry such a plan out",
        PruneRequest,
    ),
    _changing("/library/undo", "library.undo", "Take a change back; without an id the last one", UndoRequest),
    Route(
        method="GET",
        path="/library/trash",
        name="library.trash",
        summary="List what is in the trash",
        returns="`{items: [{change, number, from, name, bytes, saved_bytes, deleted_at, there}], bytes}`",
    ),
    _changing(
        "/library/trash/empty",
        "library.trash_empty",
        "Plan to delete what is in the trash for good, or carry such a plan out",
        EmptyTrashRequest,
    ),
    Route(
        method="GET",
        path="/library/changes",
        name="library.changes",
        summary="List the last changes, newest first, and what goes on",
        returns="`{changes: [change without actions], running: [{id, kind, state, done, total, …}], undo: id}`",
        query=("limit",),
    ),
    Route(
        method="GET",
        path="/library/changes/{id}",
        name="library.change",
        summary="Show a change with its actions, or how far it is; `rows=all` lists what is done, too",
        returns="a plan, or `{id, kind, state: planning|applying, done, total, done_bytes}`",
        query=("rows",),
    ),
    Route(
        method="POST",
        path="/library/changes/{id}/cancel",
        name="library.change_cancel",
        summary="Stop a change between two files; what was done can be undone",
        returns="as `GET /library/changes/{id}`",
    ),
)
