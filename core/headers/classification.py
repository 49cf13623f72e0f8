"""What a hypothesis answers, and what all of them together make of a header."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .kinds import FOLDERS, Kind


class Confidence(StrEnum):
    """How sure a statement is."""

    HIGH = "high"
    """Tensors that nothing else has."""
    LIKELY = "likely"
    """The tensors fit, and others could have them too."""
    GUESS = "guess"
    """The name says so."""


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The reason why a hypothesis does not hold."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A hypothesis that holds. `evidence` names the tensors and shapes that it rests on."""

    kind: Kind
    evidence: tuple[str, ...]
    base_model: str | None = None
    base_model_version: str | None = None
    confidence: Confidence = Confidence.HIGH
    detail: str | None = None
    """What else is known of it: `LoHa`, `T5-XXL`, `union`."""


@dataclass(frozen=True, slots=True)
class Match:
    """A base model that was recognised in a part of a file."""

    base_model: str
    version: str | None
    evidence: tuple[str, ...]
    blocks: tuple[str, ...] = ()
    """Prefixes of numbered blocks, none of which may be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """The answer about one header; what is None is not known, and `evidence` says why.

    `folder` is ComfyUI's folder name. `vram_bytes` is what the weights take as they are stored.
    """

    kind: Kind | None = None
    base_model: str | None = None
    base_model_version: str | None = None
    confidence: Confidence | None = None
    detail: str | None = None
    precision: str | None = None
    parameters: int = 0
    vram_bytes: int | None = None
    trigger_words: tuple[str, ...] = ()
    training: dict[str, str] = field(default_factory=dict)
    """What the author's tool noted: base model, network, rank, steps, title, licence."""
    evidence: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    """One line for each hypothesis that does not hold: its name and why not."""
    alternatives: tuple[str, ...] = ()
    """Folders between which only a person can choose; none where the answer is clear."""

    @property
    def folder(self) -> str | None:
        """ComfyUI's folder name for the kind."""
        return FOLDERS[self.kind] if self.kind is not None else None
