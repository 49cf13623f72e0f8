"""What a service of the pod is: the rows of the table in `services`, and those of the owner's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .probe import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One row. `words` begins with the path of a program; `environment` is its whole environment.

    `needs` names the services that must be ready before it starts. `unlocked` is what anybody without a password
    would get: where that probe finds nothing wrong, the service stands open, and that is said.
    """

    name: str
    title: str
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    directory: Path
    probe: Probe
    needs: tuple[str, ...] = ()
    port: int | None = None
    url: str | None = None
    unlocked: Probe | None = None
    files: Mapping[Path, str] = field(default_factory=dict, repr=False)
    """Files that it reads (0600), written before it starts; their folders are made too."""
    waits_for_models: bool = False
    """True where models that are marked `before: true` must be there first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A row that cannot or shall not run here, and why."""

    name: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How a service is watched; seconds. `hang_seconds` 0 never restarts a living one."""

    check_seconds: float = 10.0
    check_timeout_seconds: float = 5.0
    start_seconds: float = 900.0
    hang_seconds: float = 600.0
    grace_seconds: float = 8.0
