"""OmniGen 2: one transformer for making and editing (VectorSpaceLab)."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_CAPTION = "time_caption_embed.timestep_embedder.linear_1.bias"


def recognise(part: Part) -> Match | str:
    """Recognise it by its refiner of reference images."""
    if not part.has(_CAPTION) or not part.holds("ref_image_"):
        return f"no `{_CAPTION}` with reference images"
    return Match("OmniGen 2", None, part.told(_CAPTION, "ref_image_patch_embedder.weight"), ("layers.",))
