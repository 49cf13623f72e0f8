"""Kandinsky: the transformers of version 5 and the prior of version 2; its UNets are among diffusers'."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_FIFTH = "visual_transformer_blocks.0.self_attention.to_query.weight"
_PRIOR = ("prd_embedding", "positional_embedding", "clip_mean")


def recognise(part: Part) -> Match | str:
    """Recognise it by its visual and text blocks."""
    if part.has(_FIFTH):
        blocks = ("visual_transformer_blocks.", "text_transformer_blocks.")
        return Match("Kandinsky", "5", part.told(_FIFTH, "visual_embeddings.in_layer.weight"), blocks)
    if part.has(*_PRIOR):
        return Match("Kandinsky", "2 prior", part.told(*_PRIOR), ("transformer_blocks.",))
    return f"no `{_FIFTH}`"
