"""What a workflow needs, what of it is there, and where the rest can come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Confidence(StrEnum):
    """How sure a candidate is; only `exact` and `high` are taken without asking."""

    EXACT = "exact"
    HIGH = "high"
    LIKELY = "likely"
    GUESS = "guess"

    @property
    def sure(self) -> bool:
        """True for what is taken without asking a person."""
        return self in {Confidence.EXACT, Confidence.HIGH}


class Presence(StrEnum):
    """Whether a required model is on disk; `near` is there under another name or subfolder."""

    PRESENT = "present"
    MISSING = "missing"
    NEAR = "near"


class NodeMode(StrEnum):
    """Whether a node runs: litegraph's mode 0, 2 (muted, its branch stops) and 4 (bypassed, inputs pass through)."""

    ACTIVE = "active"
    MUTED = "muted"
    BYPASSED = "bypassed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUse:
    """One widget that names the model; `node_id` is a path through subgraphs, `65:70`."""

    node_id: str
    node_type: str
    widget_name: str | None = None
    title: str | None = None
    mode: NodeMode = NodeMode.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredModel:
    """A model that a workflow names, with what the workflow's author embedded about it."""

    name: str
    folder_name: str | None
    uses: tuple[NodeUse, ...] = ()
    url: str | None = None
    sha256: str | None = None

    @property
    def active(self) -> bool:
        """False when every node that names it is muted or bypassed."""
        return not self.uses or any(use.mode is NodeMode.ACTIVE for use in self.uses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A place where a missing model may come from; what is None was not told."""

    source: str
    confidence: Confidence
    reason: str
    url: str | None = None
    folder_name: str | None = None
    name: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    base_model: str | None = None
    licence: str | None = None
    gated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """One required model: there, near, or missing with candidates, best first."""

    required: RequiredModel
    presence: Presence
    path: str | None = None
    near_name: str | None = None
    near_confidence: Confidence | None = None
    near_reason: str | None = None
    candidates: tuple[Candidate, ...] = ()
