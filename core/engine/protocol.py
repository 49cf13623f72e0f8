"""What both ends of the engine's socket agree on.

`GET /engine` answers in this form for ever, in every version: it is how two versions find out that they differ.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Raised with every change that an older caller or engine would misread. Compared at attach.
PROTOCOL_VERSION = 1

#: Names the session that a request belongs to.
SESSION_HEADER = "X-ComfyStow-Session"

#: Sent by callers on this machine that may see host paths; a proxy never passes it on.
LOCAL_HEADER = "X-ComfyStow-Local"

#: Where ComfyUI's server mounts the table; the engine itself serves it without a prefix.
HTTP_PREFIX = "/comfystow/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """The answer to `GET /engine`."""

    pid: int
    version: str
    protocol_version: int
    started_at: float
    state_dir: str
    sessions: int = 0
    busy: bool = False
    leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """The body of `POST /engine/stop`; `if_idle` leaves an engine alone that others use."""

    reason: str = "asked to"
    if_idle: bool = False
