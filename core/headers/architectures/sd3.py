"""Stable Diffusion 3 and 3.5: a multimodal transformer (`joint_blocks.`, Stability AI's MMDiT)."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_NATIVE = "joint_blocks.0.context_block.attn.qkv.weight"
_DIFFUSERS = "transformer_blocks.0.attn.add_q_proj.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by joint blocks; the version by depth and second attention."""
    if part.has(_NATIVE):
        blocks = part.count("joint_blocks.")
        told = part.told(_NATIVE, "x_embedder.proj.weight")
        if part.has("joint_blocks.0.x_block.attn2.qkv.weight"):
            return Match("SD 3", "3.5 Medium", told, ("joint_blocks.",))
        rms = part.has("joint_blocks.0.context_block.attn.ln_q.weight")
        version = "3.5 Large" if blocks == 38 else "3.5" if rms else "3 Medium"
        return Match("SD 3", version, told, ("joint_blocks.",))
    if part.has(_DIFFUSERS, "pos_embed.proj.weight") and not part.holds("single_transformer_blocks."):
        if not part.has("context_embedder.weight", "transformer_blocks.0.norm1.linear.weight"):
            return "transformer blocks like those of SD 3, without its `context_embedder.weight`"
        blocks = part.count("transformer_blocks.")
        second = part.has("transformer_blocks.0.attn2.to_q.weight")
        version = "3.5 Medium" if second else "3.5 Large" if blocks == 38 else "3 Medium"
        return Match("SD 3", version, part.told(_DIFFUSERS, "pos_embed.proj.weight"), ("transformer_blocks.",))
    return f"no `{_NATIVE}`"
