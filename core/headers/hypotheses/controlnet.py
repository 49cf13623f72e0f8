"""ControlNets, control-LoRAs and T2I adapters: what steers a diffusion model by a picture."""

from __future__ import annotations

from ..architectures.stable_diffusion import BY_CONTEXT
from ..classification import Claim, Confidence, WhyNot
from ..kinds import Kind
from ..part import Part, Subject

_LLLITE = "lllite_"


def controlnet(subject: Subject) -> Claim | WhyNot:
    """Hold where zero convolutions, control blocks or an adapter's body are."""
    whole = subject.whole
    if whole.has("lora_controlnet"):
        told = whole.told("lora_controlnet", "input_hint_block.0.weight")
        return _claim(Kind.CONTROL_LORA, _of_unet(whole), told)
    for stem in ("control_model.", ""):
        part = subject.part(stem)
        if part.has("zero_convs.0.0.weight", "input_hint_block.0.weight"):
            told = part.told("zero_convs.0.0.weight", "input_hint_block.0.weight")
            return _claim(Kind.CONTROLNET, _of_unet(part), told)
    if whole.has("controlnet_cond_embedding.conv_in.weight"):
        union = "union" if whole.has("control_add_embedding.linear_1.bias") else None
        told = whole.told("controlnet_cond_embedding.conv_in.weight", "control_add_embedding.linear_1.bias")
        return _claim(Kind.CONTROLNET, _of_unet(whole), told, union)
    return _transformer(whole) or _adapter(subject) or WhyNot("no zero convolutions, control blocks or adapter's body")


def _claim(kind: Kind, base: str | None, told: tuple[str, ...], detail: str | None = None) -> Claim:
    sure = Confidence.HIGH if base is not None else Confidence.LIKELY
    return Claim(kind=kind, base_model=base, detail=detail, evidence=told, confidence=sure)


def _of_unet(part: Part) -> str | None:
    for ending in ("attn2.to_k.weight", "attn2.to_k.down"):
        name = part.ending(ending)
        if name is not None:
            return BY_CONTEXT.get(part.size(name, 1) or 0)
    return None


def _transformer(whole: Part) -> Claim | None:
    """ControlNets of transformers (ComfyUI comfy/controlnet.py `load_controlnet_state_dict`)."""
    if whole.has("after_proj_list.18.bias"):
        return _claim(Kind.CONTROLNET, "HunyuanDiT", whole.told("after_proj_list.18.bias"))
    first = whole.any("controlnet_blocks.0.weight", "controlnet_blocks.0.linear.weight")
    if first is None:
        return None
    if whole.has("controlnet_blocks.0.y_rms.weight"):
        return None
    union = "union" if whole.has("controlnet_mode_embedder.weight") else None
    if whole.has("transformer_blocks.0.img_mlp.net.0.proj.weight"):
        told = whole.told(first, "transformer_blocks.0.img_mlp.net.0.proj.weight")
        return _claim(Kind.CONTROLNET, "Qwen-Image", told, union)
    if whole.has("pos_embed_input.proj.weight"):
        return _claim(Kind.CONTROLNET, "SD 3", whole.told(first, "pos_embed_input.proj.weight"), union)
    if whole.has("double_blocks.0.img_attn.norm.key_norm.scale") or whole.has("controlnet_x_embedder.weight"):
        told = whole.told(first, "double_blocks.0.img_attn.norm.key_norm.scale", "controlnet_x_embedder.weight")
        return _claim(Kind.CONTROLNET, "Flux", told, union)
    return _claim(Kind.CONTROLNET, None, whole.told(first), union)


def _adapter(subject: Subject) -> Claim | None:
    """T2I adapters, full and light, and those of diffusers (TencentARC `T2I-Adapter`)."""
    lite = next(iter(subject.under(_LLLITE)), None)
    if lite is not None:
        width = subject.whole.size(lite, 0)
        return _claim(Kind.CONTROLNET, "SDXL" if width else None, (f"`{lite}` is there",), "LLLite")
    for stem in ("", "adapter."):
        part = subject.part(stem)
        body = part.any("body.0.resnets.0.block1.weight", "body.0.block1.weight", "body.0.body.0.block1.weight")
        first = part.any("conv_in.weight", "body.0.in_conv.weight")
        if body is not None and first is not None:
            told = part.told(body, first)
            return _claim(Kind.T2I_ADAPTER, _of_adapter(part, first), told)
    return None


def _of_adapter(part: Part, first: str) -> str | None:
    inputs = part.size(first, 1)
    if inputs in {256, 768} and first == "conv_in.weight":  # unshuffled by 16, as SDXL's are
        return "SDXL"
    return "SD 1.5" if inputs in {64, 192} or first != "conv_in.weight" else None
