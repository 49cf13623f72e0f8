"""What the checks look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config import Settings
from ...engine.installation import Installation
from ...records.pod import Finding, FindingState


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One machine. `look_only` writes nothing, not even a probe; `pod` is what the controller of a pod here told."""

    settings: Settings
    installation: Installation
    environment: Mapping[str, str]
    volume: Path | None = None
    look_only: bool = False
    pod: Mapping[str, Any] | None = None

    def pid_of(self, service: str) -> int | None:
        """Return the process of a service of the pod here."""
        rows = self.pod["services"] if self.pod is not None else []
        return next((row["pid"] for row in rows if row["name"] == service), None)


Check = Callable[[Examined], Iterator[Finding]]


def ok(check: str, what: str, advice: str | None = None) -> Finding:
    """Say that something is as it should be."""
    return Finding(check=check, state=FindingState.OK, what=what, what_to_do=advice)


def warn(check: str, what: str, what_to_do: str) -> Finding:
    """Say that something costs, or will fail some day."""
    return Finding(check=check, state=FindingState.WARN, what=what, what_to_do=what_to_do)


def bad(check: str, what: str, what_to_do: str) -> Finding:
    """Say that something does not work."""
    return Finding(check=check, state=FindingState.BAD, what=what, what_to_do=what_to_do)


def unknown(check: str, what: str, what_to_do: str | None = None) -> Finding:
    """Say that something could not be found out."""
    return Finding(check=check, state=FindingState.UNKNOWN, what=what, what_to_do=what_to_do)
