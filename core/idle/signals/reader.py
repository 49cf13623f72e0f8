"""What a reader of one sign of life is, and where readers look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ...records.download import Download
from ...records.idle import Activity, Signal
from ...records.pod import ServiceStatus
from ...records.sample import HistoryPoint, SystemSample
from ...records.session import HostState


class Reader(Protocol):
    """Reads one sign of life."""

    name: str

    async def read(self) -> Signal | None:
        """Look; None where there is nothing of the kind here."""

    async def close(self) -> None:
        """Let go of what it holds."""


@dataclass(frozen=True, slots=True)
class AttachedHost:
    """A ComfyUI that is attached: where it listens, and what it told last, None where that is too old."""

    url: str
    state: HostState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where the readers look: the engine's own parts, and the machine's files."""

    hosts: Callable[[], Mapping[str, AttachedHost]]
    downloads: Callable[[], Iterable[Download]]
    downloads_busy: Callable[[], bool]
    sample: Callable[[], SystemSample | None]
    """The newest sample that still speaks of now."""
    history: Callable[[float], list[HistoryPoint]]
    services: Callable[[], tuple[ServiceStatus, ...]] = tuple
    environment: Callable[[], Mapping[str, str]] = field(default=dict, repr=False)
    """The variables of this process and of the attached sessions; they hold tokens."""
    proc: Path = Path("/proc")


def active(name: str, words: str) -> Signal:
    """Say that something is done."""
    return Signal(name=name, activity=Activity.ACTIVE, words=words)


def idle(name: str, words: str) -> Signal:
    """Say that nothing is done."""
    return Signal(name=name, activity=Activity.IDLE, words=words)


def unknown(name: str, words: str) -> Signal:
    """Say that it cannot be told."""
    return Signal(name=name, activity=Activity.UNKNOWN, words=words)


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many}"
