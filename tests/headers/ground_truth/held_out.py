"""Architectures that were kept out of sight until every hypothesis was written.

`docs/headers.md` tells how they fared at first sight, and what was mended then.
"""

from __future__ import annotations

from collections.abc import Iterator

import diffusers_models
import encoders
import transformers
from comfy_diffusion import _COSMOS, _RADIANCE, _SD1, _SDXL, _SVD, _WAN, _WAN_SMALL, _unet, transformer
from comfy_others import kl
from truth import Header


def headers() -> Iterator[Header]:
    """Make them all."""
    yield from _unets()
    yield from _transformers()
    yield from _encoders()
    for name, base, make, numbers in (
        ("wan-animate", "Wan", "WanAnimateTransformer3DModel", {}),
        ("framepack", "Hunyuan Video", "HunyuanVideoFramepackTransformer3DModel", {"has_image_proj": True}),
        ("skyreels-v2", "Wan", "SkyReelsV2Transformer3DModel", {}),
        ("chrono-edit", "Wan", "ChronoEditTransformer3DModel", {}),
        ("sdxl-refiner", "SDXL Refiner", "UNet2DConditionModel", _REFINER),
        ("kandinsky-5-lite", "Kandinsky", "Kandinsky5Transformer3DModel", {"in_visual_dim": 16, "model_dim": 1792}),
    ):
        yield diffusers_models._header(f"held-out-diffusers-{name}", "diffusion_model", base, make, numbers)
    for name, alone, make in (
        ("qwen-image", "Wan", "AutoencoderKLQwenImage"),
        ("hunyuan-image", "Hunyuan Image", "AutoencoderKLHunyuanImage"),
        ("hunyuan-video-15", "Hunyuan Video", "AutoencoderKLHunyuanVideo15"),
        ("ltx2", "LTX-Video", "AutoencoderKLLTX2Video"),
    ):
        numbers = _HUNYUAN_IMAGE if name == "hunyuan-image" else {}
        yield diffusers_models._header(f"held-out-vae-{name}", "vae", alone, make, numbers)


_REFINER = {
    "block_out_channels": (384, 768, 1536, 1536), "cross_attention_dim": 1280, "attention_head_dim": (6, 12, 24, 24),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": 4, "use_linear_projection": True, "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2560,
}  # fmt: skip
_HUNYUAN_IMAGE = {"in_channels": 3, "out_channels": 3, "latent_channels": 64,
                  "block_out_channels": (128, 256, 512, 512, 1024, 1024), "layers_per_block": 2,
                  "spatial_compression_ratio": 32, "sample_size": 384}  # fmt: skip


def _unets() -> Iterator[Header]:
    vega = {"transformer_depth": [0, 0, 1, 1, 2, 2], "transformer_depth_middle": -1,
            "transformer_depth_output": [0, 0, 0, 1, 1, 1, 2, 2, 2]}  # fmt: skip
    koala = {"num_res_blocks": [1, 1, 1], "transformer_depth": [0, 2, 6], "transformer_depth_middle": 6,
             "transformer_depth_output": [0, 0, 2, 2, 6, 6]}  # fmt: skip
    lotus = {"context_dim": 1024, "in_channels": 4, "num_classes": "sequential", "adm_in_channels": 4}
    for name, base, numbers in (
        ("vega", "SDXL", _SDXL | vega),
        ("koala-1b", "SDXL", _SDXL | koala),
        ("lotus", "SD 2", lotus),
        ("sv3d-p", "Stable Video Diffusion", _SVD | {"adm_in_channels": 1280}),
        ("zero123", "SD 1.5", _SD1 | {"in_channels": 8}),
    ):
        made_by = "comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel"
        tensors = _unet(**numbers)
        if name == "zero123":  # as its checkpoint has them beside the model
            stem = "model.diffusion_model."
            tensors = {f"{stem}{key}": shape for key, shape in tensors.items()}
            tensors |= {f"first_stage_model.{key}": shape for key, shape in kl().items()}
            tensors |= {"cc_projection.weight": (768, 772), "cc_projection.bias": (768,)}
        kind = "checkpoint" if name == "zero123" else "diffusion_model"
        yield Header(name=f"held-out-{name}", kind=kind, base_model=base, made_by=made_by, tensors=tensors)


def _transformers() -> Iterator[Header]:
    for name, base, path, numbers in (
        ("cascade-b-lite", "Stable Cascade", "cascade.stage_b:StageB",
         {"c_hidden": [320, 576, 1152, 1152], "nhead": [-1, 9, 18, 18], "blocks": [[2, 4, 14, 4], [4, 14, 4, 2]],
          "block_repeat": [[1, 1, 1, 1], [2, 2, 2, 2]]}),
        ("hunyuan3d-mini", "Hunyuan 3D", "hunyuan3d.model:Hunyuan3Dv2", {"depth": 8, "depth_single_blocks": 16}),
        ("cosmos-predict2-14b", "Cosmos", "cosmos.predict2:MiniTrainDIT",
         _COSMOS | {"model_channels": 5120, "num_heads": 40, "num_blocks": 36}),
        ("cosmos-14b", "Cosmos", "cosmos.model:GeneralDIT",
         _COSMOS | {"model_channels": 5120, "num_heads": 40, "num_blocks": 36, "affline_emb_norm": True}),
        ("radiance-linear", "Chroma", "chroma_radiance.model:ChromaRadiance",
         _RADIANCE | {"nerf_final_head_type": "linear"}),
        ("wan22-camera", "Wan", "wan.model:CameraWanModel", _WAN | {"model_type": "t2v", "in_dim": 36}),
        ("wan-vace-1b", "Wan", "wan.model:VaceWanModel", _WAN_SMALL | {"vace_layers": 15, "vace_in_dim": 96}),
    ):  # fmt: skip
        made_by = f"comfy.ldm.{path.replace(':', '.')}"
        tensors = transformer(path, numbers)
        yield Header(name=f"held-out-{name}", kind="diffusion_model", base_model=base, made_by=made_by, tensors=tensors)


def _encoders() -> Iterator[Header]:
    t = transformers
    gemma3 = {"hidden_size": 3840, "intermediate_size": 15360, "num_hidden_layers": 48, "num_attention_heads": 16,
              "num_key_value_heads": 8, "head_dim": 256, "vocab_size": 262208}  # fmt: skip
    qwen3 = {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32,
             "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936}  # fmt: skip
    siglip = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
              "image_size": 384, "patch_size": 14}  # fmt: skip
    for name, kind, base, config, make, numbers in (
        ("gemma-3-12b", "text_encoder", "LTX-Video", t.Gemma3TextConfig, t.Gemma3ForCausalLM, gemma3),
        ("qwen3-8b", "text_encoder", None, t.Qwen3Config, t.Qwen3ForCausalLM, qwen3),
        ("t5-xl", "text_encoder", None, t.T5Config, t.T5EncoderModel,
         {"d_model": 1024, "d_ff": 2816, "num_layers": 24, "num_heads": 16, "d_kv": 64,
          "feed_forward_proj": "gated-gelu"}),
        ("long-clip", "text_encoder", None, t.CLIPTextConfig, t.CLIPTextModelWithProjection,
         {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
          "max_position_embeddings": 248}),
        ("siglip", "clip_vision", None, t.SiglipVisionConfig, t.SiglipVisionModel, siglip),
        ("dinov2-large", "clip_vision", None, t.Dinov2Config, t.Dinov2Model,
         {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "image_size": 518}),
        ("whisper-small", "audio_encoder", None, t.WhisperConfig, t.WhisperModel, {"d_model": 768}),
    ):  # fmt: skip
        tensors = encoders.shapes_of(make, config(**numbers))
        made_by = f"transformers.{make.__name__}"
        yield Header(name=f"held-out-{name}", kind=kind, base_model=base, made_by=made_by, tensors=tensors)
