"""AuraFlow: fal's diffusion transformer, on which Pony V7 stands."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_NATIVE = "double_layers.0.attn.w1q.weight"
_DIFFUSERS = "joint_transformer_blocks.0.attn.add_q_proj.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by the weights of its double layers."""
    if part.has(_NATIVE):
        told = part.told(_NATIVE, "cond_seq_linear.weight", "positional_encoding")
        return Match("AuraFlow", None, told, ("double_layers.", "single_layers."))
    if part.has(_DIFFUSERS, "register_tokens"):
        return Match("AuraFlow", None, part.told(_DIFFUSERS, "register_tokens"), ("joint_transformer_blocks.",))
    return f"no `{_NATIVE}`"
