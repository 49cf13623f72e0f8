"""Events that the engine pushes: names and numbers only, no host paths and no secrets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Topic(StrEnum):
    """The websocket event types that a browser sees, as `comfystow.<topic>`."""

    DOWNLOADS = "downloads"
    LIBRARY = "library"
    SYSTEM = "system"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Event:
    """One message of the stream; `data` is JSON-ready."""

    topic: Topic
    data: dict[str, object]
