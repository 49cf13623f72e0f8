"""Wan 2.1 and 2.2: Alibaba's video transformers, and what others grew on them."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_NATIVE = "head.modulation"
_DIFFUSERS = "condition_embedder.time_embedder.linear_1.weight"
# A tensor that only one variant has -> its name (ComfyUI comfy/ldm/wan/model.py).
_VARIANTS = {
    "vace_patch_embedding.weight": "VACE",
    "casual_audio_encoder.encoder.final_linear.weight": "2.2 S2V",
    "audio_proj.audio_proj_glob_1.layer.bias": "HuMo",
    "face_adapter.fuser_blocks.0.k_norm.weight": "2.2 Animate",
    "ref_conv.weight": "Fun Control",
}
_SIZES = {1536: "1.3B", 3072: "5B", 5120: "14B"}
_FIRST = "patch_embedding.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by its modulated head; the variant by tensors that only it has."""
    if part.has(_NATIVE, _FIRST):
        size = part.size(_NATIVE, -1)
        told = part.told(_NATIVE, _FIRST, *(name for name in _VARIANTS if part.has(name)))
        variant = next((one for name, one in _VARIANTS.items() if part.has(name)), None) or _variant(part)
        version = f"{variant} {_SIZES.get(size or 0, '')}".strip()
        return Match("Wan", version, told, ("blocks.", "vace_blocks."))
    if part.has(_DIFFUSERS, _FIRST, "scale_shift_table"):
        told = part.told(_DIFFUSERS, _FIRST)
        size = part.size("scale_shift_table", -1)
        return Match("Wan", f"{_variant(part)} {_SIZES.get(size or 0, '')}".strip(), told, ("blocks.",))
    return f"no `{_NATIVE}`"


def _variant(part: Part) -> str:
    inputs = part.size(_FIRST, 1)
    image = part.holds("img_emb.") or part.holds("condition_embedder.image_embedder.")
    if part.has("control_adapter.conv.weight"):
        return "2.1 Camera" if image else "2.2 Camera"
    if inputs == 48 and not image and part.size(_FIRST, 0) == 3072:
        return "2.2 TI2V"
    if inputs == 36:
        return "2.1 I2V" if image else "2.2 I2V"
    if inputs == 48 and image:
        return "2.1 Fun Control"
    return "T2V"
