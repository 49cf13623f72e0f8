"""Cosmos: NVIDIA's world models, the first generation and Predict 2."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_FIRST = "blocks.block0.blocks.0.block.attn.to_q.0.weight"
_SECOND = "blocks.0.mlp.layer1.weight"
_DIFFUSERS = "transformer_blocks.0.norm1.linear_1.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by the names of its blocks; what it makes by the channels that go in."""
    inputs = part.size("x_embedder.proj.1.weight", 1)
    task = {68: "text to world", 72: "video to world"}.get(inputs or 0)
    if part.has(_FIRST):
        size = {4096: "7B", 5120: "14B"}.get(part.size(_FIRST, 0) or 0, "")
        return Match("Cosmos", " ".join(filter(None, ("1", task, size))), part.told(_FIRST, "x_embedder.proj.1.weight"))
    if part.has(_SECOND, "x_embedder.proj.1.weight"):
        size = {2048: "2B", 5120: "14B"}.get(part.size("x_embedder.proj.1.weight", 0) or 0, "")
        version = " ".join(filter(None, ("Predict 2", "text to image" if inputs == 68 else task, size)))
        return Match("Cosmos", version, part.told(_SECOND, "x_embedder.proj.1.weight"), ("blocks.",))
    if part.has(_DIFFUSERS, "patch_embed.proj.weight", "time_embed.norm.weight"):
        return Match("Cosmos", None, part.told(_DIFFUSERS, "patch_embed.proj.weight"), ("transformer_blocks.",))
    return f"no `{_FIRST}`"
