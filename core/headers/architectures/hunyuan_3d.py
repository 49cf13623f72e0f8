"""Hunyuan 3D: transformers that make shapes (Tencent)."""

from __future__ import annotations

from ..classification import Match
from ..part import Part


def recognise(part: Part) -> Match | str:
    """Recognise it by the layer that takes shape latents in."""
    if part.has("latent_in.weight", "cond_in.weight"):
        version = "2 mini" if part.count("double_blocks.") == 8 else "2"
        return Match("Hunyuan 3D", version, part.told("latent_in.weight", "cond_in.weight"), ("double_blocks.",))
    if part.has("t_embedder.mlp.2.weight", "x_embedder.weight", "blocks.0.attn2.to_k.weight"):
        return Match("Hunyuan 3D", "2.1", part.told("t_embedder.mlp.2.weight", "x_embedder.weight"), ("blocks.",))
    return "no `latent_in.weight`"
