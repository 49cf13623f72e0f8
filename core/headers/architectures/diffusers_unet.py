"""The same UNets, and Kandinsky's, as diffusers spells them (`down_blocks.`, UNet2DConditionModel)."""

from __future__ import annotations

from ..classification import Match
from ..part import Part
from .stable_diffusion import BY_CONTEXT, INPUTS


def recognise(part: Part) -> Match | str:
    """Recognise it by the width of its cross attention."""
    if not part.has("conv_in.weight", "time_embedding.linear_1.weight") or not part.holds("down_blocks.0."):
        return "no `conv_in.weight` with `time_embedding.` and `down_blocks.`"
    if part.has("add_embedding.image_norm.weight") or part.holds("encoder_hid_proj.image_embeds"):
        told = part.told("conv_in.weight", "add_embedding.image_norm.weight", "encoder_hid_proj.image_embeds.weight")
        return Match("Kandinsky", "2", told)
    attention = part.ending("attn2.to_k.weight")
    if attention is None:
        return "a UNet without cross attention"
    told = part.told("conv_in.weight", attention, "add_embedding.linear_1.weight")
    context, width = part.size(attention, 1), part.size("conv_in.weight", 0)
    if part.holds("down_blocks.0.temporal_transformer_blocks") or ".temporal_transformer_blocks." in attention:
        return Match("Stable Video Diffusion", "SVD", told)
    if any(".temporal_transformer_blocks." in name for name in part.names("down_blocks.0.")):
        return Match("Stable Video Diffusion", "SVD", told)
    if part.has("encoder_hid_proj.weight") and part.size("encoder_hid_proj.weight", 1) == 4096:
        return Match("Kolors", None, (*told, *part.told("encoder_hid_proj.weight")))
    if width == 256 and context == 1024:
        return Match("SD 2", "x4 upscaler", told)
    base = BY_CONTEXT.get(context or 0)
    if base is None:
        return f"a UNet with text of width {context}, which no known model has"
    return Match(base, INPUTS.get(part.size("conv_in.weight", 1) or 0), told)
