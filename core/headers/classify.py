"""What a header is of: all hypotheses are asked, and where more than one holds nobody guesses."""

from __future__ import annotations

from collections.abc import Callable

from .classification import Claim, Classification, Confidence, WhyNot
from .hypotheses import HYPOTHESES
from .hypotheses.clip_vision import both_halves
from .kinds import FOLDERS
from .model_header import ModelHeader
from .part import Subject
from .precision import Stored, measure
from .training import Training, read_training

Hypothesis = Callable[[Subject], Claim | WhyNot]


def classify(header: ModelHeader) -> Classification:
    """Judge a header (pure).

    Raises: HeaderError: it is of a kind that is known, and damaged: a block or one of a pair of tensors is missing.
    """
    subject = Subject(header)
    claims: dict[str, Claim] = {}
    rejected: list[str] = []
    for name, ask in HYPOTHESES.items():
        match ask(subject):
            case Claim() as claim:
                claims[name] = claim
            case WhyNot(reason):
                rejected.append(f"{name}: {reason}")
    stored, training = measure(subject), read_training(header.metadata)
    if len(claims) == 1:
        (claim,) = claims.values()
        return _certain(claim, stored, training, tuple(rejected))
    return _undecided(subject, claims, stored, training, tuple(rejected))


def _certain(claim: Claim, stored: Stored, training: Training, rejected: tuple[str, ...]) -> Classification:
    base, confidence, evidence = claim.base_model, claim.confidence, list(claim.evidence)
    told = training.base_model
    if told is not None and base is None:
        base, confidence = told, Confidence.LIKELY
        evidence.append(f"{training.base_told_by}, which says {told}")
    elif told is not None and told != base:
        if confidence is Confidence.HIGH:
            evidence.append(f"{training.base_told_by}, which says {told}; the tensors say {base}, and know better")
        else:
            evidence.append(f"{training.base_told_by}, which says {told} where the tensors leave it open")
            base = told
    version = claim.base_model_version if base == claim.base_model else None
    return Classification(
        kind=claim.kind,
        base_model=base,
        base_model_version=version,
        confidence=confidence,
        detail=claim.detail,
        precision=stored.precision,
        parameters=stored.parameters,
        vram_bytes=stored.vram_bytes,
        trigger_words=training.words,
        training=training.notes,
        evidence=tuple(evidence),
        rejected=rejected,
    )


def _undecided(
    subject: Subject, claims: dict[str, Claim], stored: Stored, training: Training, rejected: tuple[str, ...]
) -> Classification:
    """Say what it could be; the folder stays open."""
    folders = [FOLDERS[claim.kind] for claim in claims.values()]
    evidence = [f"it could be of {FOLDERS[one.kind]}: {'; '.join(one.evidence)}" for one in claims.values()]
    halves = both_halves(subject) if not claims else ()
    if halves:
        folders = ["text_encoders", "clip_vision"]
        evidence.append(f"both halves of a CLIP are in it, and {' or '.join(folders)} could be meant")
        evidence.extend(halves)
    if not evidence:
        evidence.append("no hypothesis holds; the folder has to be named")
    return Classification(
        base_model=training.base_model,
        precision=stored.precision,
        parameters=stored.parameters,
        vram_bytes=stored.vram_bytes,
        trigger_words=training.words,
        training=training.notes,
        evidence=tuple(evidence),
        rejected=rejected,
        alternatives=tuple(dict.fromkeys(folders)),
    )
