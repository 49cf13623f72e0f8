"""Sessions: who is attached, and what its ComfyUI does now."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from ...errors import UsageError
from ...records.json import to_json
from ...records.session import HostState, Session
from ...sessions import LastLayout
from ..protocol import SESSION_HEADER
from .call import Call, Handler

_MAX_SERVER_ID_LENGTH = 200


async def attach(call: Call) -> object:
    """Make the caller a session, or renew it."""
    session: Session = call.body
    if not session.server_id or len(session.server_id) > _MAX_SERVER_ID_LENGTH:
        raise UsageError("a session needs a `server_id` of at most 200 characters")
    session = completed(session, call.runtime.sessions.last)
    call.runtime.sessions.attach(replace(session, attached_at=time.time()))
    call.presence.attached(session.server_id)
    return to_json(call.status())


def completed(session: Session, last: LastLayout | None) -> Session:
    """Return a session with what only a running ComfyUI knows, as the last one told it (pure).

    A command asks `folder_paths` alone: the folders that packs add, and the inputs of nodes, are unknown to it, and
    what is known of them must not be lost by its visit.
    """
    if last is None or session.node_inputs or session.layout.base_path != last.layout.base_path:
        return session
    folders = {**last.layout.folders, **session.layout.folders} if session.layout.folders else {}
    return replace(session, layout=replace(session.layout, folders=folders), node_inputs=last.node_inputs)


async def state(call: Call) -> object:
    """Keep what a host tells of itself."""
    if call.session is None:
        raise UsageError("only a session has a state", hint=f"name it in {SESSION_HEADER}")
    told: HostState = call.body
    call.runtime.sessions.tell(call.session.server_id, replace(told, received_at=time.time()))
    if told.models_used:
        await asyncio.to_thread(_note_use, call, call.session, told)
    return {}


def _note_use(call: Call, session: Session, told: HostState) -> None:
    # Late: an engine that only downloads starts 40 ms sooner without the workflow readers.
    from ...provision.keeping.last_use import note_use

    layout = call.runtime.sessions.layout_for(session)
    note_use(call.runtime.library, told.models_used, layout, session.node_inputs)


HOST: dict[str, Handler] = {"host.attach": attach, "host.state": state}
