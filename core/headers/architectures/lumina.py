"""Lumina 2 and Z-Image: one transformer in two widths (Alpha-VLLM's NextDiT, Tongyi's S3-DiT)."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_CAPTION = "cap_embedder.1.weight"
_DIFFUSERS = "time_caption_embed.caption_embedder.1.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by its caption embedder; which of both by its width."""
    if part.has(_CAPTION) and part.holds("layers.0."):
        width = part.size("cap_embedder.1.bias", 0) or part.size(_CAPTION, 0)
        told = part.told(_CAPTION, "cap_pad_token")
        if width == 3840:
            return Match("Z-Image", None, told, ("layers.", "noise_refiner."))
        if width == 2304:
            return Match("Lumina 2", None, told, ("layers.", "noise_refiner."))
        return f"a caption embedder of width {width}, which no known model has"
    if part.has(_DIFFUSERS) and not part.holds("ref_image_refiner."):
        return Match("Lumina 2", None, part.told(_DIFFUSERS), ("layers.",))
    return f"no `{_CAPTION}`"
