"""An alert that is on, as every caller sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .catalogue import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAlert:
    """One alert about one thing (`labels`): a GPU, a disk, a service. Times are seconds since the epoch.

    It holds `since`; `firing` is false while that is not yet for as long as it must be.
    `resolved_at` is set in the message that says it is over, and there only.
    """

    name: str
    severity: Severity
    summary: str
    action: str
    labels: dict[str, str] = field(default_factory=dict)
    value: float | None = None
    threshold: float | None = None
    firing: bool = False
    since: float = 0.0
    resolved_at: float | None = None
