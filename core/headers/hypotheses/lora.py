"""LoRAs and their kin: changes of low rank to the layers of another model."""

from __future__ import annotations

from ...errors import HeaderError
from ..adapters import DORA
from ..classification import Claim, Confidence, WhyNot
from ..kinds import Kind
from ..part import Subject
from .lora_bases import base_of


def lora(subject: Subject) -> Claim | WhyNot:
    """Hold where layers have pairs of low rank. Raises: HeaderError: one of a pair is missing."""
    adapters = subject.adapters
    if adapters is None:
        return WhyNot("no pairs of low rank (`lora_down`, `lora_A`, `hada_`, `lokr_`, …)")
    if subject.whole.has("lora_controlnet"):
        return WhyNot("`lora_controlnet` says that it steers a model")
    if subject.mentions(".motion_modules."):
        return WhyNot("its layers are those of a motion module")
    if subject.prefixes("ip_adapter.", "image_proj."):
        return WhyNot("an IP-Adapter is in it")
    alone = adapters.alone()
    if alone is not None:
        raise HeaderError(f"this LoRA is damaged: `{alone}` has one tensor of a pair", hint="download the file again")
    name, ranks = adapters.algorithm(), adapters.ranks()
    detail = "DoRA" if any(map(subject.mentions, DORA)) else name
    told_rank = f", rank {ranks[0]}" if len(ranks) == 1 else f", ranks {ranks[0]} to {ranks[-1]}" if ranks else ""
    first = next(iter(adapters.layers))
    told = (f"{len(adapters.layers)} layers of {name}{told_rank}, as `{first}`",)
    base = base_of(adapters)
    return Claim(
        kind=Kind.LORA,
        base_model=base.base_model,
        base_model_version=base.version,
        detail=detail,
        evidence=(*told, *base.evidence),
        confidence=Confidence.HIGH if base.sure else Confidence.LIKELY,
    )
