"""`GET /events`: one JSON object a line, for as long as the caller stays.

A caller that reads too slowly loses events, never memory: it is told `lost`, and reads the state again.
"""

from __future__ import annotations

import asyncio
import json
import time

from aiohttp import web

from ..events import Subscription
from ..records.event import Event
from ..runtime import Runtime
from .presence import Presence
from .protocol import SESSION_HEADER

HEARTBEAT_SECONDS = 2.0
#: How soon a caller that went away is noticed, and with it the end of its session.
_LOOK_SECONDS = 0.5
#: Who takes nothing of what is written for so long is given up: it would keep the engine alive for ever.
STUCK_SECONDS = 60.0


async def stream_events(
    request: web.Request, runtime: Runtime, presence: Presence, leaving: asyncio.Event
) -> web.StreamResponse:
    """Write events until the caller or the engine leaves."""
    session_id = request.headers.get(SESSION_HEADER)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
    with presence.stream(session_id), runtime.events.subscribe() as subscription:
        await response.prepare(request)
        await _write(request, response, {"topic": "hello", "data": {}})
        last = time.monotonic()
        while not leaving.is_set() and request.transport is not None:
            event = await _next(subscription, _LOOK_SECONDS)
            if event is not None:
                await _write(request, response, {"topic": event.topic.value, "data": event.data})
            elif time.monotonic() - last < HEARTBEAT_SECONDS:
                continue
            else:
                await _write(request, response, {"topic": "heartbeat", "data": {}})
            last = time.monotonic()
    return response


async def _write(request: web.Request, response: web.StreamResponse, message: dict[str, object]) -> None:
    """Write one line. Raises: ConnectionResetError: the caller is gone, or takes nothing."""
    line = json.dumps(message, separators=(",", ":")).encode("utf-8") + b"\n"
    try:
        async with asyncio.timeout(STUCK_SECONDS):
            await response.write(line)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the caller reads no events") from None


async def _next(subscription: Subscription, timeout_seconds: float) -> Event | None:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await subscription.get()
    except TimeoutError:
        return None
