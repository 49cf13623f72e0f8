"""Manifests and locks: pin, compare, bring, write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...records.json import to_json
from ..bodies import CheckRequest, ManifestRequest, SyncRequest
from .call import Call, Handler
from .ensure import start_job
from .needs import document_of, finder_of, origins_of, shown, wish_of

if TYPE_CHECKING:
    from ...provision.needs.syncing import SyncState
    from ...workflow.lock import LockEntry


async def lock(call: Call) -> object:
    """Pin what is wanted; what has no sure source is listed, and makes no lock."""
    from ...provision.needs.locking import Locker
    from ...provision.needs.wishes import read_wish

    # Several places of one name are one file where their digests say so: the sources are asked anyway.
    wish = await wish_of(call, call.body, search=True)
    wanted = await read_wish(wish, finder_of(call), call.session, origins=origins_of(call))
    runtime = call.runtime
    locker = Locker(networks=runtime.networks, sessions=runtime.sessions, places=runtime.places)
    locked = await locker.lock(wanted.choices.requests, call.session)
    choices = wanted.choices
    return {
        "lock": locked.text if not choices.open else None,
        "entries": [entry_json(entry) for entry in locked.entries],
        "failed": to_json(locked.failed),
        "near": shown(call, choices.near),
        "choices": shown(call, choices.open),
        "skipped": to_json(wanted.skipped),
    }


async def check(call: Call) -> object:
    """Compare the library with a lock."""
    request: CheckRequest = call.body
    return _state_json(call, await _compared(call, request.lock, sizes_only=request.sizes_only))


async def sync(call: Call) -> object:
    """Fetch what is missing, as a job; other files under a lock's names are refused, and stay as they are."""
    from ...provision.needs.syncing import other_error
    from ...provision.needs.wishes import request_of_lock

    request: SyncRequest = call.body
    state = await _compared(call, request.lock)
    blocked = [(request_of_lock(row.entry), other_error(row)) for row in state.other]
    requests = [request_of_lock(entry) for entry in state.missing]
    return await start_job(call, requests, present=len(state.entries) - len(requests) - len(blocked), blocked=blocked)


async def write(call: Call) -> object:
    """Write a manifest."""
    from ...provision.needs.known_sources import library_lines, with_origins, workflow_lines
    from ...workflow.write_manifest import write_manifest

    request: ManifestRequest = call.body
    document = document_of(request.workflow, request.prompt)
    if (document is None) is not request.library:
        raise UsageError("give one of `workflow`, `prompt`, `library`")
    layout = call.runtime.sessions.layout_for(call.session)
    origins = origins_of(call)
    if request.library:
        lines = await asyncio.to_thread(library_lines, layout, origins)
        title = "the models of this library whose sources are known"
    else:
        needs = await finder_of(call).needs(document, call.session)
        lines = workflow_lines(with_origins(needs.statuses, origins))
        title = "everything that one workflow needs"
    return {
        "manifest": write_manifest(lines, title),
        "with_source": sum(line.source is not None for line in lines),
        "without_source": sum(line.source is None for line in lines),
    }


async def _compared(call: Call, text: str, *, sizes_only: bool = False) -> SyncState:
    from ...provision.needs.syncing import compare
    from ...workflow.lock import parse_lock

    layout = call.runtime.sessions.layout_for(call.session)
    return await compare(parse_lock(text), layout, call.runtime.digests, sizes_only=sizes_only)


def entry_json(entry: LockEntry) -> dict[str, Any]:
    """Return a lock's entry by the names that stand in the lock."""
    data: dict[str, Any] = to_json(entry)
    data["folder"] = data.pop("folder_name")
    return data


def _state_json(call: Call, state: SyncState) -> dict[str, Any]:
    def path_of(path: object) -> str | None:
        return str(path) if call.local and path is not None else None

    return {
        "in_sync": state.held,
        "entries": [
            {**entry_json(row.entry), "state": row.state.value, "path": path_of(row.path), "reason": row.reason}
            for row in state.entries
        ],
        "extra": [
            {"folder": row.folder_name, "name": row.name, "path": path_of(row.path), "size_bytes": row.size_bytes}
            for row in state.extra
        ],
        "extra_bytes": sum(row.size_bytes for row in state.extra),
    }


MANIFEST: dict[str, Handler] = {
    "manifest.lock": lock,
    "manifest.check": check,
    "manifest.sync": sync,
    "manifest.write": write,
}
