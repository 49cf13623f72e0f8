"""Hunyuan Video and Hunyuan Image: Flux's blocks with a token refiner before them (Tencent)."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_REFINER = ("txt_in.individual_token_refiner.blocks.0.norm1.weight",)
_DIFFUSERS = "context_embedder.token_refiner.refiner_blocks.0.norm1.weight"
_FIRST = "img_in.proj.weight"
_BLOCKS = ("double_blocks.", "single_blocks.")
_INPUTS = {16: "1.0", 32: "SkyReels I2V", 33: "I2V"}


def recognise(part: Part) -> Match | str:
    """Recognise it by the refiner; image or video by the patches of its first layer."""
    refiner = part.any(*_REFINER)
    if refiner is None:
        return _diffusers(part)
    told = part.told(refiner, _FIRST, "byt5_in.fc1.weight", "vision_in.proj.0.weight")
    if part.holds("vision_in."):
        version = "1.5 SR" if part.size(_FIRST, 1) == 98 else "1.5"
        return Match("Hunyuan Video", version, told, _BLOCKS)
    shape = part.shape(_FIRST)
    if shape is not None and len(shape) == 4:
        distilled = part.holds("time_r_in.")
        return Match("Hunyuan Image", "2.1 distilled" if distilled else "2.1", told, _BLOCKS)
    if shape is not None and shape[2:] == (1, 1, 1) and not part.holds("vector_in."):
        return Match("Hunyuan Image", "2.1 refiner", told, _BLOCKS)
    return Match("Hunyuan Video", _INPUTS.get(part.size(_FIRST, 1) or 0), told, _BLOCKS)


def _diffusers(part: Part) -> Match | str:
    told = part.told(_DIFFUSERS, "x_embedder.proj.weight")
    if part.has(_DIFFUSERS):
        shape = part.shape("x_embedder.proj.weight")
        if shape is not None and len(shape) == 4:
            return Match("Hunyuan Image", "2.1", told)
        if part.holds("image_embedder."):
            return Match("Hunyuan Video", "1.5", told)
        if shape is not None and shape[2:] == (1, 1, 1):
            return Match("Hunyuan Image", "2.1 refiner", told)
        return Match("Hunyuan Video", None, told)
    return f"no `{_REFINER[0]}`"
