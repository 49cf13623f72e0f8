"""Changes of files at rest: a plan first, then exactly that plan."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import AccessError, ConflictError, UsageError
from ...library.changes.organise import Wishes
from ...library.changes.view import Names, change_json, plan_json, trash_json
from ...provision.changes.jobs import ChangeJob, job_json
from ...provision.changes.parts import plans_of
from ...provision.changes.plans import Planner, Plans
from ...records.change import ChangeKind
from ..change_bodies import (
    DedupeRequest,
    DeleteRequest,
    EmptyTrashRequest,
    OrganiseRequest,
    PruneRequest,
    UndoRequest,
)
from .call import Accepted, Call, Handler

#: How long an answer is held back for a job; proxies give up after 100 s (Cloudflare's, which RunPod stands behind).
_ANSWER_SECONDS = 5.0
_DEFAULT_LIMIT = 20
_MOST_CHANGES = 200


def _plans(call: Call) -> Plans:
    runtime = call.runtime
    layout = runtime.sessions.layout_for(call.session)
    return plans_of(runtime.state_dir, layout, runtime.library, runtime.settings)


async def _planned_or_applied(call: Call, kind: ChangeKind, plan: Callable[[], Planner]) -> object:
    """Make a plan, or carry one out; the answer is the job where that takes longer."""
    wanted = call.body.apply
    changes = call.runtime.changes
    if wanted is False:
        job: ChangeJob | None = changes.plan(kind, await asyncio.to_thread(plan))
        change_id = job.id if job is not None else ""
    elif isinstance(wanted, str) and wanted:
        change_id = wanted
        job = await changes.apply(change_id, kind, call.runtime.networks.settings_of(call.session))
    else:
        raise UsageError("`apply` is false for a plan, or the id of the plan to carry out")
    return await _answer(call, change_id, job)


async def _answer(call: Call, change_id: str, job: ChangeJob | None) -> object:
    changes = call.runtime.changes
    if job is not None:
        if not await changes.wait(job, _ANSWER_SECONDS):
            return Accepted(job_json(job))
        if job.error is not None:
            raise job.error
    return await _shown(call, change_id)


async def _shown(call: Call, change_id: str, *, all_rows: bool = False) -> dict[str, Any]:
    change, actions = await call.runtime.changes.show(change_id, all_rows=all_rows)
    layout = call.runtime.sessions.layout_for(call.session)
    return await asyncio.to_thread(lambda: plan_json(change, actions, Names(layout, with_paths=call.local)))


async def organise(call: Call) -> object:
    """Plan where a folder's models go, or move them there."""
    wanted: OrganiseRequest = call.body

    def plan() -> Planner:
        if wanted.directory is None:
            raise UsageError("a plan needs `directory`: the folder that is organised")
        folder = _allowed(call, wanted.directory)
        settings = call.runtime.networks.settings_of(call.session)
        wishes = Wishes(link=wanted.link, clash=wanted.clash, allow_pickle=settings.allow_pickle)
        return _plans(call).organise(folder, wishes, chosen=wanted.choose)

    return await _planned_or_applied(call, ChangeKind.ORGANISE, plan)


async def dedupe(call: Call) -> object:
    """Plan one copy of equal files, or make it so."""
    wanted: DedupeRequest = call.body

    def plan() -> Planner:
        folders = [_allowed(call, text) for text in wanted.directories]
        return _plans(call).dedupe(folders, _hub_cache(call) if wanted.hf_cache else None, wanted.link)

    return await _planned_or_applied(call, ChangeKind.DEDUPE, plan)


async def delete(call: Call) -> object:
    """Plan to move files into the trash, or move them."""
    wanted: DeleteRequest = call.body
    return await _planned_or_applied(
        call, ChangeKind.DELETE, lambda: _plans(call).delete(_named(call, wanted.ids, wanted.paths))
    )


async def prune(call: Call) -> object:
    """Plan what goes to fit a size, or let it go."""
    wanted: PruneRequest = call.body

    def plan() -> Planner:
        if wanted.to_bytes is None or wanted.to_bytes < 0:
            raise UsageError("a plan needs `to_bytes`: the size that the library shall have at most")
        return _plans(call).prune(wanted.to_bytes, _named(call, wanted.ids, wanted.paths))

    return await _planned_or_applied(call, ChangeKind.PRUNE, plan)


async def undo(call: Call) -> object:
    """Take a change back."""
    wanted: UndoRequest = call.body
    changes = call.runtime.changes
    change_id = wanted.id
    if change_id is None:
        _recent, change_id = await changes.recent(1)
        if change_id is None:
            raise ConflictError("there is no change that could be taken back")
    settings = call.runtime.networks.settings_of(call.session)
    new_id, job = await changes.undo(change_id, _plans(call).undo(change_id), settings)
    return await _answer(call, new_id, job)


async def trash(call: Call) -> object:
    """List the trash."""
    found = await call.runtime.changes.in_trash()
    names = Names(call.runtime.sessions.layout_for(call.session), with_paths=call.local)
    items = await asyncio.to_thread(lambda: [trash_json(*item, names) for item in found])
    return {"items": items, "bytes": sum(item["saved_bytes"] for item in items)}


async def empty_trash(call: Call) -> object:
    """Plan to delete what is in the trash, or delete it."""
    wanted: EmptyTrashRequest = call.body
    return await _planned_or_applied(
        call, ChangeKind.EMPTY, lambda: _plans(call).empty(wanted.changes, wanted.older_than_seconds)
    )


async def recent(call: Call) -> object:
    """List the last changes."""
    text = call.query.get("limit") or str(_DEFAULT_LIMIT)
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise UsageError(f"`limit` cannot be `{text[:20]}`", hint="it is a number from 0 on")
    found, last = await call.runtime.changes.recent(min(int(text), _MOST_CHANGES))
    return {
        "changes": [change_json(change) for change in found],
        "running": [job_json(job) for job in call.runtime.changes.running()],
        "undo": last,
    }


async def show(call: Call) -> object:
    """Show a change, or how far it is."""
    change_id = call.parameters["id"]
    rows = call.query.get("rows")
    if rows is not None and rows != "all":
        raise UsageError(f"`rows` cannot be `{rows[:20]}`", hint="`rows=all` lists what is done, too")
    job = call.runtime.changes.job(change_id)
    if job is not None and not job.over:
        return job_json(job)
    if job is not None and job.error is not None:
        raise job.error
    return await _shown(call, change_id, all_rows=rows == "all")


async def cancel(call: Call) -> object:
    """Stop a job."""
    call.runtime.changes.cancel(call.parameters["id"])
    return await show(call)


def _allowed(call: Call, text: str) -> Path:
    """Return a folder that the caller may name: on another machine only what lies in ComfyUI or in a setting."""
    folder = Path(text).expanduser()
    if call.local:
        return folder
    base = call.runtime.sessions.layout_for(call.session).base_path
    allowed = [Path(place) for place in call.runtime.settings.organise_folders] + ([base] if base is not None else [])
    if not any(folder.resolve().is_relative_to(place.resolve()) for place in allowed):
        raise AccessError(
            f"`{folder.name}` may not be looked into from another machine",
            hint="name it in COMFYSTOW_ORGANISE_FOLDERS, or use the command line there",
        )
    return folder


def _named(call: Call, ids: tuple[int, ...], paths: tuple[str, ...]) -> list[int | Path]:
    if paths and not call.local:
        raise AccessError("files are named by their ids from another machine", hint="`GET /library` lists them")
    return [*ids, *map(Path, paths)]


def _hub_cache(call: Call) -> Path:
    """Return where Hugging Face keeps its downloads (huggingface_hub: HF_HUB_CACHE, else HF_HOME/hub)."""
    environment = call.runtime.credentials(call.session).environment
    if cache := environment.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    return Path(environment.get("HF_HOME") or "~/.cache/huggingface").expanduser() / "hub"


LIBRARY_CHANGES: dict[str, Handler] = {
    "library.organise": organise,
    "library.dedupe": dedupe,
    "library.delete": delete,
    "library.prune": prune,
    "library.undo": undo,
    "library.trash": trash,
    "library.trash_empty": empty_trash,
    "library.changes": recent,
    "library.change": show,
    "library.change_cancel": cancel,
}
