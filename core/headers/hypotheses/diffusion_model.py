"""Diffusion models without the rest: UNets and transformers."""

from __future__ import annotations

from ...errors import HeaderError
from ..classification import Claim, Match, WhyNot
from ..kinds import Kind
from ..part import Part, Subject, gap_in
from . import diffusion


def diffusion_model(subject: Subject) -> Claim | WhyNot:
    """Hold where a known architecture stands alone. Raises: HeaderError: blocks of it are missing."""
    if subject.adapters is not None:
        return WhyNot("it holds pairs of low rank")
    stem = diffusion.steers(subject)
    if stem is not None:
        return WhyNot(f"`{stem}` steers a model instead of being one")
    match diffusion.find(subject):
        case (str(prefix), Match() as found):
            if prefix and subject.prefixes(*diffusion.BESIDE):
                return WhyNot("a VAE or a text encoder stands beside it")
            check_blocks(subject.part(prefix), found)
            return Claim(
                kind=Kind.DIFFUSION_MODEL,
                base_model=found.base_model,
                base_model_version=found.version,
                evidence=found.evidence,
            )
        case reasons:
            return WhyNot("; ".join(str(one) for one in reasons))


def check_blocks(part: Part, found: Match) -> None:
    """Refuse a model from whose middle blocks are missing. Raises: HeaderError."""
    for stem in found.blocks:
        missing = gap_in(part.blocks(stem))
        if missing is not None:
            raise HeaderError(
                f"this {found.base_model} model is damaged: `{part.prefix}{stem}{missing}` is missing",
                hint="download the file again",
            )
