"""PixArt: Huawei's small diffusion transformers, Alpha and Sigma."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_NATIVE = "t_block.1.weight"
_DIFFUSERS = "adaln_single.emb.timestep_embedder.linear_1.bias"


def recognise(part: Part) -> Match | str:
    """Recognise it by the block that all timesteps go through."""
    if part.has(_NATIVE, "x_embedder.proj.weight"):
        alpha = part.holds("ar_embedder.")
        return Match("PixArt", "Alpha" if alpha else "Sigma", part.told(_NATIVE), ("blocks.",))
    if part.has(_DIFFUSERS, "pos_embed.proj.bias", "caption_projection.linear_1.weight"):
        if part.size("pos_embed.proj.weight", 0) not in {1152, None}:
            return "blocks like PixArt's, of another width"
        alpha = part.holds("adaln_single.emb.resolution_embedder.")
        told = part.told(_DIFFUSERS, "pos_embed.proj.bias")
        return Match("PixArt", "Alpha" if alpha else "Sigma", told, ("transformer_blocks.",))
    return f"no `{_NATIVE}`"
