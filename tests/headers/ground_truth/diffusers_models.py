"""diffusers' own classes on torch's meta device: their files have other names than ComfyUI's, and ComfyUI loads many.

Where a class has no defaults like the published model's, its numbers are those of the model's `config.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import diffusers
import torch
from truth import Header, Shape

_UNET = {"block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "attention_head_dim": 8}
_CROSS = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
_SDXL = {
    "block_out_channels": (320, 640, 1280), "cross_attention_dim": 2048, "attention_head_dim": (5, 10, 20),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "transformer_layers_per_block": (1, 2, 10), "use_linear_projection": True, "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
}  # fmt: skip
_SDXL_UP = {"up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")}
_KANDINSKY2 = {
    "block_out_channels": (384, 768, 1280, 1536), "cross_attention_dim": 768, "attention_head_dim": 64,
    "down_block_types": ("ResnetDownsampleBlock2D", *("SimpleCrossAttnDownBlock2D",) * 3),
    "up_block_types": (*("SimpleCrossAttnUpBlock2D",) * 3, "ResnetUpsampleBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "addition_embed_type": "image",
    "encoder_hid_dim": 1280, "encoder_hid_dim_type": "image_proj", "layers_per_block": 3, "out_channels": 8,
}  # fmt: skip
_SD3 = {"num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536, "pos_embed_max_size": 192}
_SD35 = {"num_layers": 38, "num_attention_heads": 38, "caption_projection_dim": 2432, "pos_embed_max_size": 192,
         "qk_norm": "rms_norm"}  # fmt: skip
_WAN_1B = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
_HIDREAM = {"patch_size": 2, "in_channels": 16, "out_channels": 16, "caption_channels": [4096, 4096],
            "axes_dims_rope": (64, 32, 32), "llama_layers": [*range(32), *[31] * 16]}  # fmt: skip
_PIXART = {"caption_channels": 4096, "use_additional_conditions": False}
_KANDINSKY5 = {"in_visual_dim": 16, "out_visual_dim": 16, "time_dim": 1024, "model_dim": 4096, "ff_dim": 16384,
               "num_text_blocks": 4, "num_visual_blocks": 60}  # fmt: skip

#: Name -> base model, class, numbers.
DENOISERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "sd15": ("SD 1.5", "UNet2DConditionModel", _UNET),
    "sd2": ("SD 2", "UNet2DConditionModel", _UNET | {"cross_attention_dim": 1024, "use_linear_projection": True}),
    "sdxl": ("SDXL", "UNet2DConditionModel", _SDXL | _SDXL_UP),
    "kandinsky-22": ("Kandinsky", "UNet2DConditionModel", _KANDINSKY2),
    "kandinsky-22-prior": ("Kandinsky", "PriorTransformer", {"embedding_dim": 1280}),
    "kandinsky-5": ("Kandinsky", "Kandinsky5Transformer3DModel", _KANDINSKY5),
    "svd": ("Stable Video Diffusion", "UNetSpatioTemporalConditionModel", {}),
    "cascade": ("Stable Cascade", "StableCascadeUNet",
                {"clip_text_in_channels": 1280, "clip_text_pooled_in_channels": 1280, "clip_image_in_channels": 768}),
    "sd3-medium": ("SD 3", "SD3Transformer2DModel", _SD3),
    "sd35-large": ("SD 3", "SD3Transformer2DModel", _SD35),
    "sd35-medium": (
        "SD 3", "SD3Transformer2DModel",
        _SD3 | {"qk_norm": "rms_norm", "dual_attention_layers": tuple(range(13)), "pos_embed_max_size": 384},
    ),
    "flux-dev": ("Flux", "FluxTransformer2DModel", {"guidance_embeds": True}),
    "flux2-dev": ("Flux 2", "Flux2Transformer2DModel", {}),
    "chroma": ("Chroma", "ChromaTransformer2DModel", {}),
    "qwen-image": ("Qwen-Image", "QwenImageTransformer2DModel", {}),
    "wan-14b": ("Wan", "WanTransformer3DModel", {}),
    "wan-1b": ("Wan", "WanTransformer3DModel", _WAN_1B),
    "wan-i2v": ("Wan", "WanTransformer3DModel", {"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120}),
    "wan-vace": ("Wan", "WanVACETransformer3DModel", {}),
    "hunyuan-video": ("Hunyuan Video", "HunyuanVideoTransformer3DModel", {}),
    "hunyuan-video-15": ("Hunyuan Video", "HunyuanVideo15Transformer3DModel", {}),
    "hunyuan-image": ("Hunyuan Image", "HunyuanImageTransformer2DModel", {"text_embed_2_dim": 1472}),
    "hunyuan-dit": ("HunyuanDiT", "HunyuanDiT2DModel", {"in_channels": 4, "patch_size": 2, "num_layers": 40,
                                                        "hidden_size": 1408, "cross_attention_dim": 1024}),
    "ltx-2b": ("LTX-Video", "LTXVideoTransformer3DModel", {}),
    "ltx2": ("LTX-2", "LTX2VideoTransformer3DModel", {}),
    "cosmos-7b": ("Cosmos", "CosmosTransformer3DModel", {}),
    "hidream": ("HiDream", "HiDreamImageTransformer2DModel", _HIDREAM),
    "lumina2": ("Lumina 2", "Lumina2Transformer2DModel", {"cap_feat_dim": 2304}),
    "z-image": ("Z-Image", "ZImageTransformer2DModel", {}),
    "mochi": ("Mochi", "MochiTransformer3DModel", {}),
    "auraflow": ("AuraFlow", "AuraFlowTransformer2DModel", {"pos_embed_max_size": 9216}),
    "pixart-sigma": ("PixArt", "PixArtTransformer2DModel", _PIXART),
    "pixart-alpha": ("PixArt", "PixArtTransformer2DModel", _PIXART | {"use_additional_conditions": True}),
    "cogvideox-2b": ("CogVideoX", "CogVideoXTransformer3DModel", {}),
    "cogvideox-5b": ("CogVideoX", "CogVideoXTransformer3DModel", {"num_attention_heads": 48, "num_layers": 42}),
    "stable-audio": ("Stable Audio", "StableAudioDiTModel", {}),
}  # fmt: skip

#: Models that no hypothesis is about: none may be taken for another, nor for a checkpoint.
STRANGERS = ("Flux3Transformer2DModel", "Krea2Transformer2DModel", "SanaTransformer2DModel", "Kandinsky3UNet",
             "CogView4Transformer2DModel", "AllegroTransformer3DModel",
             "DiTTransformer2DModel", "AutoencoderVidTok",
             "ErnieImageTransformer2DModel", "NucleusMoEImageTransformer2DModel", "OvisImageTransformer2DModel",
             "MotifVideoTransformer3DModel", "JoyImageEditTransformer3DModel", "Ideogram4Transformer2DModel",
             "GlmImageTransformer2DModel")  # fmt: skip

#: Name -> base model, class, numbers.
AUTOENCODERS: dict[str, tuple[str | None, str, dict[str, Any]]] = {
    "kl": (None, "AutoencoderKL", {
        "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}),
    "kl-16": (None, "AutoencoderKL", {
        "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 16,
        "use_quant_conv": False, "use_post_quant_conv": False}),
    "flux2": ("Flux 2", "AutoencoderKLFlux2", {}),
    "svd": ("Stable Video Diffusion", "AutoencoderKLTemporalDecoder", {
        "down_block_types": ("DownEncoderBlock2D",) * 4, "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2}),
    "wan": ("Wan", "AutoencoderKLWan", {}),
    "hunyuan-video": ("Hunyuan Video", "AutoencoderKLHunyuanVideo", {}),
    "ltx": ("LTX-Video", "AutoencoderKLLTXVideo", {}),
    "mochi": ("Mochi", "AutoencoderKLMochi", {}),
    "oobleck": ("Stable Audio", "AutoencoderOobleck", {}),
    "cogvideox": ("CogVideoX", "AutoencoderKLCogVideoX", {
        "down_block_types": ("CogVideoXDownBlock3D",) * 4, "up_block_types": ("CogVideoXUpBlock3D",) * 4,
        "block_out_channels": (128, 256, 256, 512), "latent_channels": 16, "layers_per_block": 3}),
}  # fmt: skip


def model_of(name: str, numbers: dict[str, Any]) -> torch.nn.Module:
    """Build a class of diffusers without memory."""
    make = getattr(diffusers, name)
    try:
        with torch.device("meta"):
            return make(**numbers)
    except (RuntimeError, NotImplementedError):  # it reads a number out of a tensor while it is built
        return make(**numbers)


def shapes_of(name: str, numbers: dict[str, Any]) -> dict[str, Shape]:
    """List the tensors of a class."""
    return {key: tuple(tensor.shape) for key, tensor in model_of(name, numbers).state_dict().items()}


def headers() -> Iterator[Header]:
    """Make them all."""
    for name, (base, make, numbers) in DENOISERS.items():
        yield _header(f"diffusers-{name}", "diffusion_model", base, make, numbers)
    for name, (alone, make, numbers) in AUTOENCODERS.items():
        yield _header(f"diffusers-vae-{name}", "vae", alone, make, numbers)
    taesd = {"encoder_block_out_channels": (64, 64, 64, 64), "decoder_block_out_channels": (64, 64, 64, 64)}
    yield _header("diffusers-taesd", "vae_approx", None, "AutoencoderTiny", taesd)
    sdxl = {key: value for key, value in _SDXL.items() if key != "up_block_types"}
    for name, base, make, numbers in (
        ("sd15", "SD 1.5", "ControlNetModel", _UNET),
        ("sdxl", "SDXL", "ControlNetModel", sdxl),
        ("sdxl-union", "SDXL", "ControlNetUnionModel", sdxl),
        ("flux", "Flux", "FluxControlNetModel", {"num_layers": 5, "num_single_layers": 10, "guidance_embeds": True}),
        ("sd3", "SD 3", "SD3ControlNetModel", _SD3 | {"num_layers": 12}),
        ("qwen", "Qwen-Image", "QwenImageControlNetModel", {"num_layers": 5}),
    ):
        yield _header(f"diffusers-controlnet-{name}", "controlnet", base, make, numbers)
    for name, base, adapter, channels in (
        ("sd15", "SD 1.5", "full_adapter", 3),
        ("sdxl", "SDXL", "full_adapter_xl", 3),
    ):
        numbers = {"in_channels": channels, "adapter_type": adapter,
                   "downscale_factor": 16 if adapter.endswith("xl") else 8}  # fmt: skip
        yield _header(f"diffusers-t2i-{name}", "t2i_adapter", base, "T2IAdapter", numbers)
    yield _header("animatediff-sd15", "motion_module", "SD 1.5", "MotionAdapter", {})
    sdxl_motion = {"block_out_channels": (320, 640, 1280), "use_motion_mid_block": False}
    yield _header("animatediff-sdxl", "motion_module", "SDXL", "MotionAdapter", sdxl_motion)
    for make in STRANGERS:
        yield _header(f"stranger-{make}".lower(), "", None, make, {})


def _header(name: str, kind: str, base: str | None, make: str, numbers: dict[str, Any]) -> Header:
    tensors = shapes_of(make, numbers)
    return Header(name=name, kind=kind, base_model=base, made_by=f"diffusers.{make}", tensors=tensors)
