"""Sessions: who is attached, and what its ComfyUI does now."""

from __future__ import annotations

import time
from dataclasses import replace

from ...errors import UsageError
from ...records.json import to_json
from ...records.session import HostState, Session
from ..protocol import SESSION_HEADER
from .call import Call, Handler

_MAX_SERVER_ID_LENGTH = 200


async def attach(call: Call) -> object:
    """Make the caller a session, or renew it."""
    session: Session = call.body
    if not session.server_id or len(session.server_id) > _MAX_SERVER_ID_LENGTH:
        raise UsageError("a session needs a `server_id` of at most 200 characters")
    call.runtime.sessions.attach(replace(session, attached_at=time.time()))
    call.presence.attached(session.server_id)
    return to_json(call.status())


async def state(call: Call) -> object:
    """Keep what a host tells of itself."""
    if call.session is None:
        raise UsageError("only a session has a state", hint=f"name it in {SESSION_HEADER}")
    told: HostState = call.body
    call.runtime.sessions.tell(call.session.server_id, replace(told, received_at=time.time()))
    return {}


HOST: dict[str, Handler] = {"host.attach": attach, "host.state": state}
