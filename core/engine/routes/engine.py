"""Rows about the engine itself, and those between it and its callers on this machine."""

from __future__ import annotations

from ...records.session import HostState, Session
from ..protocol import StopRequest
from .route import MIB, Route

ENGINE_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/openapi.json",
        name="openapi",
        summary="This table for programs",
        returns="OpenAPI 3.1",
    ),
    Route(
        method="GET",
        path="/engine",
        name="engine.status",
        summary="Say who the engine is; the same in every version",
        returns="`{pid, version, protocol_version, started_at, state_dir, sessions, busy, leaving}`",
        internal=True,
    ),
    Route(
        method="POST",
        path="/engine/stop",
        name="engine.stop",
        summary="Journal and leave; the same in every version",
        returns="`{leaving}`",
        request=StopRequest,
        internal=True,
    ),
    Route(
        method="POST",
        path="/host/attach",
        name="host.attach",
        summary="Make a caller a session: its folders, its node inputs, its tokens (in memory only)",
        returns="the engine's status",
        request=Session,
        max_body_bytes=32 * MIB,
        internal=True,
    ),
    Route(
        method="POST",
        path="/host/state",
        name="host.state",
        summary="Tell what ComfyUI does now",
        returns="`{}`",
        request=HostState,
        max_body_bytes=MIB,
        internal=True,
    ),
    Route(
        method="GET",
        path="/events",
        name="events",
        summary="Stream events, one JSON object a line; the session lives as long as its stream",
        returns="`{topic, data}` lines, `{topic: heartbeat}` between them",
        internal=True,
    ),
)
