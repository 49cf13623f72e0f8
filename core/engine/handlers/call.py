"""What a handler is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...records.session import Session
from ...runtime import Runtime
from ..presence import Presence
from ..protocol import EngineStatus


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """An answer to what takes longer than an answer may: 202, and how far it is."""

    data: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, read and checked: `body` is the record that the route names."""

    runtime: Runtime
    presence: Presence
    status: Callable[[], EngineStatus]
    leave: Callable[[str], None]
    parameters: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    session_id: str | None = None
    local: bool = False

    @property
    def session(self) -> Session | None:
        """The caller's session, None for a caller without one."""
        return self.runtime.sessions.get(self.session_id) if self.session_id is not None else None


Handler = Callable[[Call], Awaitable[object]]
