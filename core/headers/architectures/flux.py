"""Flux, Flux 2 and Chroma: double and single stream blocks (Black Forest Labs' `flux`, lodestone's Chroma)."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_NATIVE = "double_blocks.0.img_attn.norm.key_norm.scale"
_DIFFUSERS = "single_transformer_blocks.0.attn.norm_k.weight"
_BLOCKS = ("double_blocks.", "single_blocks.")
_DIFFUSERS_BLOCKS = ("transformer_blocks.", "single_transformer_blocks.")
# Channels that go into the first layer, packed 2×2 (BFL flux `util.py`).
_VARIANTS = {384: "Fill", 128: "Canny or Depth"}


def recognise(part: Part) -> Match | str:
    """Recognise it by the norms of its double blocks."""
    norm = part.any(_NATIVE, "double_blocks.0.img_attn.norm.key_norm.weight")
    if norm is None:
        return _diffusers(part)
    if part.holds("txt_in.individual_token_refiner."):
        return "its text goes through a token refiner, as Hunyuan Video's"
    if part.has("latent_in.weight") or part.has("cond_in.weight"):
        return "it makes shapes, as Hunyuan 3D"
    if part.holds("distilled_guidance_layer."):
        guidance = part.names("distilled_guidance_layer.")[0]
        radiance = part.has("nerf_blocks.0.norm.scale")
        return Match("Chroma", "Radiance" if radiance else None, part.told(norm, guidance), _BLOCKS)
    if part.has("double_stream_modulation_img.lin.weight"):
        told = part.told("double_stream_modulation_img.lin.weight", "img_in.weight", "txt_in.weight")
        return Match("Flux 2", "Dev" if part.size("txt_in.weight", 0) == 6144 else None, told, _BLOCKS)
    if part.size("txt_in.weight", 1) not in {4096, None} or not part.has("txt_in.weight"):
        return "double blocks whose text is not that of T5-XXL"
    told = part.told(norm, "img_in.weight", "txt_in.weight", "guidance_in.in_layer.weight")
    return Match("Flux", _version(part, "img_in.weight", guided=part.holds("guidance_in.")), told, _BLOCKS)


def _version(part: Part, first: str, *, guided: bool) -> str:
    variant = _VARIANTS.get(part.size(first, 1) or 0)
    return variant if variant is not None else "Dev" if guided else "Schnell"


def _diffusers(part: Part) -> Match | str:
    if part.has("single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight"):
        told = part.told("single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight", "x_embedder.weight")
        return Match("Flux 2", "Dev" if part.size("x_embedder.weight", 0) == 6144 else None, told, _DIFFUSERS_BLOCKS)
    if not part.has(_DIFFUSERS) or part.holds("context_embedder.token_refiner."):
        return f"no `{_NATIVE}`"
    if part.holds("distilled_guidance_layer."):
        told = part.told(_DIFFUSERS, part.names("distilled_guidance_layer.")[0])
        return Match("Chroma", None, told, _DIFFUSERS_BLOCKS)
    if not part.has("x_embedder.weight", "context_embedder.weight"):
        return "blocks like those of Flux, without its embedders"
    if part.size("context_embedder.weight", 1) not in {4096, None}:
        return "blocks like those of Flux, whose text is not that of T5-XXL"
    guided = part.holds("time_text_embed.guidance_embedder.")
    told = part.told(_DIFFUSERS, "x_embedder.weight", "context_embedder.weight")
    return Match("Flux", _version(part, "x_embedder.weight", guided=guided), told, _DIFFUSERS_BLOCKS)
