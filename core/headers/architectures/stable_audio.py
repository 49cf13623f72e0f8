"""Stable Audio: Stability AI's transformer for sound."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_NATIVE = "transformer.rotary_pos_emb.inv_freq"
_DIFFUSERS = ("cross_attention_proj.0.weight", "global_proj.0.weight", "timestep_proj.0.weight")


def recognise(part: Part) -> Match | str:
    """Recognise it by its rotary positions and global conditioning."""
    if part.has(_NATIVE) and part.holds("to_cond_embed."):
        return Match("Stable Audio", "Open", part.told(_NATIVE, "to_cond_embed.0.weight"), ("transformer.layers.",))
    if part.has(*_DIFFUSERS):
        return Match("Stable Audio", "Open", part.told(*_DIFFUSERS), ("transformer_blocks.",))
    return f"no `{_NATIVE}`"
