"""Stable Diffusion 1 to XL and their kin: the UNet of CompVis and Stability AI (`input_blocks.`)."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_FIRST = "input_blocks.0.0.weight"
#: Width of the text conditioning -> base model (ComfyUI comfy/supported_models.py, `context_dim`).
BY_CONTEXT = {768: "SD 1.5", 1024: "SD 2", 1280: "SDXL Refiner", 2048: "SDXL"}
#: Channels of the first convolution that say more (ComfyUI comfy/model_base.py).
INPUTS = {9: "inpainting", 8: "instruct-pix2pix"}


def recognise(part: Part) -> Match | str:
    """Recognise it by the width of its cross attention and of its class embedding."""
    if not part.has(_FIRST) or not part.has("time_embed.0.weight"):
        return f"no `{_FIRST}`"
    attention = part.ending("attn2.to_k.weight")
    if attention is None:
        return "a UNet without cross attention"
    context = part.size(attention, 1)
    told = part.told(_FIRST, attention, "label_emb.0.0.weight")
    labels = part.size("label_emb.0.0.weight", 1)
    if part.holds("input_blocks.1.1.time_stack."):
        version = {256: "SV3D u", 1280: "SV3D p"}.get(labels or 0, "SVD")
        return Match("Stable Video Diffusion", version, told, ("input_blocks.",))
    width = part.size(_FIRST, 0)
    if width == 256 and context == 1024:
        return Match("SD 2", "x4 upscaler", told, ("input_blocks.",))
    base = BY_CONTEXT.get(context or 0)
    if base is None and context is None:
        base = {2816: "SDXL", 2560: "SDXL Refiner"}.get(labels or 0)
    if base is None:
        return f"a UNet with text of width {context}, which no known model has"
    return Match(base, _version(part, base, labels), told, ("input_blocks.", "output_blocks."))


def _version(part: Part, base: str, labels: int | None) -> str | None:
    inputs = part.size(_FIRST, 1) or 4
    if base == "SD 2" and labels in {1536, 2048}:
        return "2.1 unCLIP"
    if base == "SD 1.5" and inputs == 8 and part.subject.tensors.keys() >= {"cc_projection.weight"}:
        return "Zero123"
    if inputs in INPUTS:
        return INPUTS[inputs]
    if base == "SDXL":
        depth = part.count("input_blocks.8.1.transformer_blocks.") or part.count("input_blocks.5.1.transformer_blocks.")
        return {4: "SSD-1B", 2: "Vega", 5: "KOALA 700M", 6: "KOALA 1B"}.get(depth)
    return None
