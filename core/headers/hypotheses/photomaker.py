"""PhotoMaker: faces among the words (TencentARC `PhotoMaker`)."""

from __future__ import annotations

from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Subject


def photomaker(subject: Subject) -> Claim | WhyNot:
    """Hold where a second projection of a face is fused with words."""
    for prefix in subject.prefixes("", "id_encoder."):
        part = subject.part(prefix)
        if part.has("visual_projection_2.weight") and part.holds("fuse_module."):
            told = part.told("visual_projection_2.weight", "fuse_module.mlp1.fc1.weight")
            return Claim(kind=Kind.PHOTOMAKER, base_model="SDXL", evidence=told)
    return WhyNot("no `visual_projection_2.weight` with `fuse_module.`")
