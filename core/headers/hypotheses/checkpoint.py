"""Checkpoints: a diffusion model with its VAE or its text encoders in one file."""

from __future__ import annotations

from ..classification import Claim, Confidence, Match, WhyNot
from ..kinds import Kind
from ..part import Subject
from . import diffusion


def checkpoint(subject: Subject) -> Claim | WhyNot:
    """Hold where a diffusion model stands beside a VAE or a text encoder."""
    if subject.adapters is not None:
        return WhyNot("it holds pairs of low rank")
    beside = subject.prefixes(*diffusion.BESIDE)
    if not beside:
        return WhyNot("there is neither a VAE nor a text encoder beside the model")
    told = tuple(f"{len(subject.under(one))} tensors under `{one}`" for one in beside)
    match diffusion.find(subject):
        case (str(prefix), Match() as found):
            if not prefix:
                return WhyNot("its diffusion model has no prefix")
            return Claim(
                kind=Kind.CHECKPOINT,
                base_model=found.base_model,
                base_model_version=found.version,
                evidence=(*found.evidence, *told),
            )
        case _:
            pass
    if any(one in diffusion.VAE_STEMS for one in beside) and subject.prefixes("model.diffusion_model."):
        told = ("`model.diffusion_model.` holds a model of no family that is known", *told)
        return Claim(kind=Kind.CHECKPOINT, evidence=told, confidence=Confidence.LIKELY)
    return WhyNot("no diffusion model is in it")
