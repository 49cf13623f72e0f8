"""LoRAs and their kin: changes of low rank to the layers of another model."""

from __future__ import annotations

from collections import Counter

from ...errors import HeaderError
from ..adapters import has_dora
from ..classification import Claim, Confidence, WhyNot
from ..kinds import Kind
from ..part import Subject
from .lora_bases import base_of


def lora(subject: Subject) -> Claim | WhyNot:
    """Hold where layers have pairs of low rank. Raises: HeaderError: one of a pair is missing."""
    adapters = subject.adapters
    if not adapters:
        return WhyNot("no pairs of low rank (`lora_down`, `lora_A`, `hada_`, `lokr_`, …)")
    if subject.whole.has("lora_controlnet"):
        return WhyNot("`lora_controlnet` says that it steers a model")
    if any(".motion_modules." in name for name in adapters):
        return WhyNot("its layers are those of a motion module")
    if subject.prefixes("ip_adapter.", "image_proj."):
        return WhyNot("an IP-Adapter is in it")
    alone = next((name for name, adapter in adapters.items() if adapter.is_half), None)
    if alone is not None:
        raise HeaderError(f"this LoRA is damaged: `{alone}` has one tensor of a pair", hint="download the file again")
    algorithms = Counter(adapter.algorithm for adapter in adapters.values())
    name = algorithms.most_common(1)[0][0]
    detail = "DoRA" if has_dora(subject.tensors) else name
    ranks = sorted({rank for adapter in adapters.values() if (rank := adapter.rank) is not None})
    told_rank = f", rank {ranks[0]}" if len(ranks) == 1 else f", ranks {ranks[0]} to {ranks[-1]}" if ranks else ""
    first = next(iter(adapters))
    told = (f"{len(adapters)} layers of {name}{told_rank}, as `{first}`",)
    base = base_of(adapters)
    return Claim(
        kind=Kind.LORA,
        base_model=base.base_model,
        base_model_version=base.version,
        detail=detail,
        evidence=(*told, *base.evidence),
        confidence=Confidence.HIGH if base.sure else Confidence.LIKELY,
    )
