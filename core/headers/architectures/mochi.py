"""Mochi: Genmo's video transformer."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_NATIVE = "t5_yproj.weight"
_DIFFUSERS = "time_embed.pooler.to_kv.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by the projection of its text."""
    if part.has(_NATIVE):
        return Match("Mochi", "1 preview", part.told(_NATIVE, "x_embedder.proj.weight"), ("blocks.",))
    if part.has(_DIFFUSERS, "time_embed.caption_proj.weight"):
        return Match("Mochi", "1 preview", part.told(_DIFFUSERS), ("transformer_blocks.",))
    return f"no `{_NATIVE}`"
