"""The engine about itself."""

from __future__ import annotations

from ...records.json import to_json
from ..openapi import document
from ..protocol import StopRequest
from .call import Call, Handler


async def status(call: Call) -> object:
    """Answer in the one form that all versions understand."""
    return to_json(call.status())


async def stop(call: Call) -> object:
    """Begin to leave; with `if_idle` only when nobody else is there and nothing is to be done."""
    request: StopRequest = call.body
    others = call.presence.requests > 1 or call.presence.streams > 0
    if request.if_idle and (others or call.runtime.downloads.busy):
        return {"leaving": False}
    call.leave(request.reason[:200])
    return {"leaving": True}


async def openapi(call: Call) -> object:
    """Describe the route table."""
    return document(call.status().version)


ENGINE: dict[str, Handler] = {"engine.status": status, "engine.stop": stop, "openapi": openapi}
