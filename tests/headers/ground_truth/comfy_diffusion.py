"""Diffusion models: ComfyUI's own classes on torch's meta device, with the numbers of the published models.

The numbers are those of each model's published configuration, as ComfyUI's `model_detection.py` restates them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import comfy.ops
import torch
from truth import Header

_ON_META = {"device": "meta", "dtype": torch.bfloat16, "operations": comfy.ops.disable_weight_init}


def shapes_of(make: Callable[..., torch.nn.Module], **numbers: Any) -> dict[str, tuple[int, ...]]:
    """Build a class without memory and list its tensors."""
    try:
        with torch.device("meta"):
            model = make(**numbers)
    except RuntimeError:  # it reads a number out of a tensor while it is built; its layers are on the meta device alone
        model = make(**numbers)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _unet(**numbers: Any) -> dict[str, tuple[int, ...]]:
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    common = {"image_size": 32, "out_channels": 4, "use_spatial_transformer": True, "legacy": False, "in_channels": 4,
              "model_channels": 320, "num_res_blocks": [2, 2, 2, 2], "channel_mult": [1, 2, 4, 4],
              "transformer_depth_middle": 1, "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
              "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], "use_linear_in_transformer": True,
              "num_head_channels": 64, "num_heads": -1}  # fmt: skip
    return shapes_of(UNetModel, **common | numbers, **_ON_META)


_SDXL = {"num_res_blocks": [2, 2, 2], "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10],
         "transformer_depth_middle": 10, "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
         "context_dim": 2048, "num_classes": "sequential", "adm_in_channels": 2816}  # fmt: skip
_REFINER = {"model_channels": 384, "num_res_blocks": [2, 2, 2, 2], "channel_mult": [1, 2, 4, 4],
            "transformer_depth": [0, 0, 4, 4, 4, 4, 0, 0], "transformer_depth_middle": 4,
            "transformer_depth_output": [0, 0, 0, 4, 4, 4, 4, 4, 4, 0, 0, 0], "context_dim": 1280,
            "num_classes": "sequential", "adm_in_channels": 2560}  # fmt: skip
_SD1 = {"context_dim": 768, "use_linear_in_transformer": False, "num_heads": 8, "num_head_channels": -1}
_SVD = {"in_channels": 8, "context_dim": 1024, "adm_in_channels": 768, "num_classes": "sequential",
        "use_temporal_attention": True, "use_temporal_resblock": True, "extra_ff_mix_layer": True,
        "use_spatial_context": True, "merge_strategy": "learned_with_images", "merge_factor": 0.0,
        "video_kernel_size": [3, 1, 1]}  # fmt: skip

#: Name -> base model, numbers of the UNet.
UNETS: dict[str, tuple[str, dict[str, Any]]] = {
    "sd15": ("SD 1.5", _SD1),
    "sd15-inpainting": ("SD 1.5", _SD1 | {"in_channels": 9}),
    "sd15-pix2pix": ("SD 1.5", _SD1 | {"in_channels": 8}),
    "sd2": ("SD 2", {"context_dim": 1024}),
    "sd2-unclip-h": ("SD 2", {"context_dim": 1024, "num_classes": "sequential", "adm_in_channels": 2048}),
    "sd2-x4-upscaler": (
        "SD 2",
        {"context_dim": 1024, "model_channels": 256, "in_channels": 7, "channel_mult": [1, 2, 2, 4], "num_heads": 8,
         "num_head_channels": -1, "num_classes": 1000, "disable_self_attentions": [True, True, True, False],
         "transformer_depth": [0, 0, 1, 1, 1, 1, 1, 1],
         "transformer_depth_output": [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]},
    ),
    "sdxl": ("SDXL", _SDXL),
    "sdxl-inpainting": ("SDXL", _SDXL | {"in_channels": 9}),
    "ssd-1b": (
        "SDXL",
        _SDXL | {"transformer_depth": [0, 0, 2, 2, 4, 4], "transformer_depth_middle": -1,
                 "transformer_depth_output": [0, 0, 0, 1, 1, 2, 10, 4, 4]},
    ),
    "koala-700m": (
        "SDXL",
        _SDXL | {"num_res_blocks": [1, 1, 1], "transformer_depth": [0, 2, 5], "transformer_depth_middle": -2,
                 "transformer_depth_output": [0, 0, 2, 2, 5, 5]},
    ),
    "sdxl-refiner": ("SDXL Refiner", _REFINER),
    "svd": ("Stable Video Diffusion", _SVD),
}  # fmt: skip

_FLUX = {"in_channels": 16, "out_channels": 16, "vec_in_dim": 768, "context_in_dim": 4096, "hidden_size": 3072,
         "mlp_ratio": 4.0, "num_heads": 24, "depth": 19, "depth_single_blocks": 38, "axes_dim": [16, 56, 56],
         "theta": 10000, "patch_size": 2, "qkv_bias": True, "guidance_embed": True}  # fmt: skip
_FLUX2 = _FLUX | {"in_channels": 128, "out_channels": 128, "vec_in_dim": None, "context_in_dim": 15360,
                  "hidden_size": 6144, "mlp_ratio": 3.0, "num_heads": 48, "depth": 8, "depth_single_blocks": 48,
                  "axes_dim": [32] * 4, "theta": 2000, "patch_size": 1, "qkv_bias": False, "ops_bias": False,
                  "global_modulation": True, "mlp_silu_act": True}  # fmt: skip
_CHROMA = {**{key: value for key, value in _FLUX.items() if key not in {"vec_in_dim", "guidance_embed"}},
           "in_channels": 64, "out_channels": 64, "in_dim": 64, "out_dim": 3072, "hidden_dim": 5120,
           "n_layers": 5}  # fmt: skip
_RADIANCE = _CHROMA | {"in_channels": 3, "out_channels": 3, "patch_size": 16, "nerf_hidden_size": 64,
                       "nerf_mlp_ratio": 4, "nerf_depth": 4, "nerf_max_freqs": 8, "nerf_tile_size": 512,
                       "nerf_final_head_type": "conv", "nerf_embedder_dtype": torch.float32}  # fmt: skip
_HUNYUAN = {"in_channels": 16, "out_channels": 16, "vec_in_dim": 768, "context_in_dim": 4096, "hidden_size": 3072,
            "mlp_ratio": 4.0, "num_heads": 24, "depth": 20, "depth_single_blocks": 40, "axes_dim": [16, 56, 56],
            "theta": 256, "patch_size": [1, 2, 2], "qkv_bias": True, "guidance_embed": True, "byt5": False,
            "meanflow": False, "use_cond_type_embedding": False, "vision_in_dim": None}  # fmt: skip
_HUNYUAN_IMAGE = _HUNYUAN | {"in_channels": 64, "out_channels": 64, "vec_in_dim": None, "context_in_dim": 3584,
                             "hidden_size": 3584, "num_heads": 28, "axes_dim": [64, 64], "patch_size": [1, 1],
                             "guidance_embed": False, "byt5": True}  # fmt: skip
_HUNYUAN_15 = _HUNYUAN | {"in_channels": 65, "out_channels": 32, "vec_in_dim": None, "context_in_dim": 3584,
                          "hidden_size": 2048, "num_heads": 16, "depth": 54, "depth_single_blocks": 0,
                          "patch_size": [1, 1, 1], "guidance_embed": False, "byt5": True,
                          "use_cond_type_embedding": True, "vision_in_dim": 1152}  # fmt: skip
_WAN = {"patch_size": (1, 2, 2), "in_dim": 16, "dim": 5120, "ffn_dim": 13824, "out_dim": 16, "num_heads": 40,
        "num_layers": 40}  # fmt: skip
_WAN_SMALL = _WAN | {"dim": 1536, "ffn_dim": 8960, "num_heads": 12, "num_layers": 30}
_COSMOS = {"max_img_h": 240, "max_img_w": 240, "max_frames": 128, "in_channels": 16, "out_channels": 16,
           "patch_spatial": 2, "patch_temporal": 1, "model_channels": 4096, "num_blocks": 28, "num_heads": 32,
           "pos_emb_cls": "rope3d", "use_adaln_lora": True}  # fmt: skip
_LUMINA = {"patch_size": 2, "in_channels": 16, "dim": 2304, "n_layers": 26, "n_heads": 24, "n_kv_heads": 8,
           "cap_feat_dim": 2304, "qk_norm": True, "axes_dims": [32, 32, 32], "axes_lens": [300, 512, 512]}  # fmt: skip
_MMDIT = {"input_size": None, "patch_size": 2, "in_channels": 16, "out_channels": 16, "depth": 24,
          "adm_in_channels": 2048, "pos_embed_max_size": 192, "num_patches": 36864,
          "context_embedder_config": {"target": "torch.nn.Linear",
                                      "params": {"in_features": 4096, "out_features": 1536}}}  # fmt: skip
_SD35_LARGE = _MMDIT | {"depth": 38, "qk_norm": "rms", "context_embedder_config": {
    "target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 2432}}}  # fmt: skip

#: Name -> base model, ComfyUI's class, numbers.
TRANSFORMERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "sd3-medium": ("SD 3", "modules.diffusionmodules.mmdit:OpenAISignatureMMDITWrapper", _MMDIT),
    "sd35-large": ("SD 3", "modules.diffusionmodules.mmdit:OpenAISignatureMMDITWrapper", _SD35_LARGE),
    "sd35-medium": (
        "SD 3",
        "modules.diffusionmodules.mmdit:OpenAISignatureMMDITWrapper",
        _MMDIT | {"qk_norm": "rms", "x_block_self_attn_layers": list(range(13))},
    ),
    "flux-dev": ("Flux", "flux.model:Flux", _FLUX),
    "flux-schnell": ("Flux", "flux.model:Flux", _FLUX | {"guidance_embed": False}),
    "flux-fill": ("Flux", "flux.model:Flux", _FLUX | {"in_channels": 96}),
    "flux-canny": ("Flux", "flux.model:Flux", _FLUX | {"in_channels": 32}),
    "flux2-dev": ("Flux 2", "flux.model:Flux", _FLUX2),
    "chroma": ("Chroma", "chroma.model:Chroma", _CHROMA),
    "chroma-radiance": ("Chroma", "chroma_radiance.model:ChromaRadiance", _RADIANCE),
    "hunyuan-video": ("Hunyuan Video", "hunyuan_video.model:HunyuanVideo", _HUNYUAN),
    "hunyuan-video-i2v": (
        "Hunyuan Video",
        "hunyuan_video.model:HunyuanVideo",
        _HUNYUAN | {"in_channels": 33, "guidance_embed": False},
    ),
    "skyreels-i2v": ("Hunyuan Video", "hunyuan_video.model:HunyuanVideo", _HUNYUAN | {"in_channels": 32}),
    "hunyuan-video-15": ("Hunyuan Video", "hunyuan_video.model:HunyuanVideo", _HUNYUAN_15),
    "hunyuan-video-15-sr": ("Hunyuan Video", "hunyuan_video.model:HunyuanVideo", _HUNYUAN_15 | {"in_channels": 98}),
    "hunyuan-image": ("Hunyuan Image", "hunyuan_video.model:HunyuanVideo", _HUNYUAN_IMAGE),
    "hunyuan-image-distilled": (
        "Hunyuan Image",
        "hunyuan_video.model:HunyuanVideo",
        _HUNYUAN_IMAGE | {"meanflow": True, "guidance_embed": True},
    ),
    "hunyuan-image-refiner": (
        "Hunyuan Image",
        "hunyuan_video.model:HunyuanVideo",
        _HUNYUAN | {"in_channels": 128, "out_channels": 64, "vec_in_dim": None, "context_in_dim": 3584,
                    "hidden_size": 3328, "num_heads": 26, "patch_size": [1, 1, 1], "meanflow": True},
    ),
    "hydit-12": (
        "HunyuanDiT",
        "hydit.models:HunYuanDiT",
        {"depth": 40, "hidden_size": 1408, "mlp_ratio": 4.3637},
    ),
    "hydit-11": (
        "HunyuanDiT",
        "hydit.models:HunYuanDiT",
        {"depth": 40, "hidden_size": 1408, "mlp_ratio": 4.3637, "size_cond": True, "use_style_cond": True},
    ),
    "hunyuan3d-2": ("Hunyuan 3D", "hunyuan3d.model:Hunyuan3Dv2", {}),
    "hunyuan3d-21": (
        "Hunyuan 3D",
        "hunyuan3dv2_1.hunyuandit:HunYuanDiTPlain",
        {"guidance_cond_proj_dim": None},
    ),
    "wan-t2v-14b": ("Wan", "wan.model:WanModel", _WAN),
    "wan-t2v-1b": ("Wan", "wan.model:WanModel", _WAN_SMALL),
    "wan-i2v-14b": ("Wan", "wan.model:WanModel", _WAN | {"model_type": "i2v", "in_dim": 36}),
    "wan-flf2v-14b": (
        "Wan",
        "wan.model:WanModel",
        _WAN | {"model_type": "i2v", "in_dim": 36, "flf_pos_embed_token_number": 514},
    ),
    "wan22-i2v-14b": ("Wan", "wan.model:WanModel", _WAN | {"in_dim": 36}),
    "wan22-ti2v-5b": (
        "Wan",
        "wan.model:WanModel",
        _WAN | {"in_dim": 48, "out_dim": 48, "dim": 3072, "ffn_dim": 14336, "num_heads": 24, "num_layers": 30},
    ),
    "wan-vace-14b": ("Wan", "wan.model:VaceWanModel", _WAN | {"vace_layers": 8, "vace_in_dim": 96}),
    "wan-camera-1b": ("Wan", "wan.model:CameraWanModel", _WAN_SMALL | {"in_dim": 32}),
    "wan22-s2v-14b": ("Wan", "wan.model:WanModel_S2V", _WAN),
    "wan22-animate-14b": ("Wan", "wan.model_animate:AnimateWanModel", _WAN | {"in_dim": 36}),
    "wan-humo": ("Wan", "wan.model:HumoWanModel", _WAN | {"in_dim": 36}),
    "ltx-2b": ("LTX-Video", "lightricks.model:LTXVModel", {}),
    "ltx-13b": (
        "LTX-Video",
        "lightricks.model:LTXVModel",
        {"cross_attention_dim": 4096, "attention_head_dim": 128, "num_layers": 48},
    ),
    "qwen-image": ("Qwen-Image", "qwen_image.model:QwenImageTransformer2DModel", {}),
    "lumina2": ("Lumina 2", "lumina.model:NextDiT", _LUMINA),
    "z-image": (
        "Z-Image",
        "lumina.model:NextDiT",
        _LUMINA | {"dim": 3840, "n_layers": 30, "n_heads": 30, "n_kv_heads": 30, "cap_feat_dim": 2560,
                   "axes_dims": [32, 48, 48], "axes_lens": [1536, 512, 512], "ffn_dim_multiplier": 8 / 3,
                   "z_image_modulation": True, "time_scale": 1000.0, "pad_tokens_multiple": 32},
    ),
    "hidream": (
        "HiDream",
        "hidream.model:HiDreamImageTransformer2DModel",
        {"patch_size": 2, "in_channels": 16, "out_channels": 16, "caption_channels": [4096, 4096],
         "axes_dims_rope": (64, 32, 32), "llama_layers": [*range(32), *[31] * 16]},
    ),
    "auraflow": ("AuraFlow", "aura.mmdit:MMDiT", {"max_seq": 9216}),
    "pixart-alpha": ("PixArt", "pixart.pixartms:PixArtMS", {"input_size": 128, "micro_condition": True}),
    "pixart-sigma": (
        "PixArt",
        "pixart.pixartms:PixArtMS",
        {"input_size": 128, "micro_condition": False, "model_max_length": 300},
    ),
    "cosmos-7b": ("Cosmos", "cosmos.model:GeneralDIT", _COSMOS | {"affline_emb_norm": True}),
    "cosmos-i2v-7b": ("Cosmos", "cosmos.model:GeneralDIT", _COSMOS | {"in_channels": 17, "affline_emb_norm": True}),
    "cosmos-predict2-2b": (
        "Cosmos",
        "cosmos.predict2:MiniTrainDIT",
        _COSMOS | {"model_channels": 2048, "num_heads": 16},
    ),
    "cosmos-predict2-i2v-14b": (
        "Cosmos",
        "cosmos.predict2:MiniTrainDIT",
        _COSMOS | {"in_channels": 17, "model_channels": 5120, "num_heads": 40, "num_blocks": 36},
    ),
    "mochi": (
        "Mochi",
        "genmo.joint_model.asymm_models_joint:AsymmDiTJoint",
        {"in_channels": 12, "hidden_size_x": 3072, "hidden_size_y": 1536, "num_heads": 24, "mlp_ratio_x": 4.0,
         "mlp_ratio_y": 4.0, "use_t5": True, "learn_sigma": False, "timestep_scale": 1000.0, "qk_norm": True,
         "qkv_bias": False, "out_bias": True, "attn_drop": 0.0, "posenc_preserve_area": True},
    ),
    "cascade-c": ("Stable Cascade", "cascade.stage_c:StageC", {}),
    "cascade-c-lite": (
        "Stable Cascade",
        "cascade.stage_c:StageC",
        {"c_cond": 1536, "c_hidden": [1536, 1536], "nhead": [24, 24], "blocks": [[4, 12], [12, 4]]},
    ),
    "cascade-b": ("Stable Cascade", "cascade.stage_b:StageB", {}),
    "ace-step": (
        "ACE-Step",
        "ace.model:ACEStepTransformer2DModel",
        {"num_layers": 24, "inner_dim": 2560, "attention_head_dim": 128, "num_attention_heads": 20, "mlp_ratio": 2.5,
         "ssl_encoder_depths": [8, 8], "lyric_encoder_vocab_size": 6693},
    ),
    "stable-audio": ("Stable Audio", "audio.dit:AudioDiffusionTransformer", {}),
    "omnigen2": (
        "OmniGen 2",
        "omnigen.omnigen2:OmniGen2Transformer2DModel",
        {"hidden_size": 2520, "num_layers": 32, "num_attention_heads": 21, "num_kv_heads": 7,
         "axes_dim_rope": (40, 40, 40), "axes_lens": (1024, 1664, 1664), "text_feat_dim": 2048,
         "timestep_scale": 1000.0},
    ),
}  # fmt: skip


def transformer(path: str, numbers: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Build one of ComfyUI's transformers."""
    import importlib

    module, _, name = path.partition(":")
    make = getattr(importlib.import_module(f"comfy.ldm.{module}"), name)
    return shapes_of(make, **numbers, **_ON_META)


def headers() -> Iterator[Header]:
    """Make them all: a model alone, as ComfyUI's `diffusion_models` folder holds it."""
    for name, (base, numbers) in UNETS.items():
        tensors = _unet(**numbers)
        made_by = "comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel"
        yield Header(name=name, kind="diffusion_model", base_model=base, made_by=made_by, tensors=tensors)
    for name, (base, path, numbers) in TRANSFORMERS.items():
        made_by = f"comfy.ldm.{path.replace(':', '.')}"
        tensors = transformer(path, numbers)
        yield Header(name=name, kind="diffusion_model", base_model=base, made_by=made_by, tensors=tensors)
