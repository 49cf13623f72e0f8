"""Qwen-Image: Alibaba's image transformer."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_FIRST = "transformer_blocks.0.img_mlp.net.0.proj.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by the norm over its text and blocks of two streams."""
    if not part.has("txt_norm.weight", "img_in.weight", _FIRST):
        return f"no `txt_norm.weight` with `{_FIRST}`"
    if part.size("txt_norm.weight", 0) not in {3584, None} or part.size("img_in.bias", 0) not in {3072, None}:
        return "blocks like those of Qwen-Image, of another width"
    version = "Layered" if part.holds("time_text_embed.addition_t_embedding.") else None
    return Match("Qwen-Image", version, part.told("txt_norm.weight", "img_in.weight", _FIRST), ("transformer_blocks.",))
