"""What ComfyUI loads beside diffusion models: autoencoders, ControlNets, adapters, patches, vision and audio encoders.

ACE-Step's autoencoder and the encoder of Stable Cascade C are left out: they take torchaudio and torchvision, which the
tests' environment has not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.ops
import torch
from comfy_diffusion import _FLUX, _MMDIT, _SD1, _SDXL, shapes_of
from truth import Header, Shape

_OPS = {"device": "meta", "dtype": torch.bfloat16, "operations": comfy.ops.disable_weight_init}
_KL = {"double_z": True, "z_channels": 4, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 128,
       "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0}  # fmt: skip
_HUNYUAN = {"block_out_channels": [128, 256, 512, 1024, 1024], "in_channels": 3, "out_channels": 3,
            "num_res_blocks": 2, "ffactor_spatial": 16, "ffactor_temporal": 4, "downsample_match_channel": True,
            "upsample_match_channel": True, "z_channels": 32}  # fmt: skip


def headers() -> Iterator[Header]:
    """Make them all."""
    for part in (_autoencoders, _controlnets, _adapters, _patches, _vision, _audio, _small_autoencoders):
        yield from part()


def _engine(encoder: str, decoder: str, config: dict[str, Any], regularizer: str = "DiagonalGaussian") -> Any:
    from comfy.ldm.models.autoencoder import AutoencodingEngine

    return shapes_of(
        AutoencodingEngine,
        regularizer_config={"target": f"comfy.ldm.models.autoencoder.{regularizer}Regularizer"},
        encoder_config={"target": encoder, "params": config},
        decoder_config={"target": decoder, "params": config},
    )


def kl(channels: int = 4, *, quant: bool = True, **more: Any) -> dict[str, Shape]:
    """Make the autoencoder of Stable Diffusion, or Flux's without the convolutions around the latents."""
    from comfy.ldm.models.autoencoder import AutoencoderKL

    config = _KL | {"z_channels": channels} | more
    if quant:
        return shapes_of(AutoencoderKL, ddconfig=config, embed_dim=channels)
    stem = "comfy.ldm.modules.diffusionmodules.model"
    return _engine(f"{stem}.Encoder", f"{stem}.Decoder", config)


def _autoencoders() -> Iterator[Header]:
    import comfy.ldm.cosmos.vae
    import comfy.ldm.genmo.vae.model
    import comfy.ldm.hunyuan3d.vae
    import comfy.ldm.lightricks.vae.causal_video_autoencoder
    import comfy.ldm.mmaudio.vae.autoencoder
    import comfy.ldm.wan.vae
    import comfy.ldm.wan.vae2_2
    from comfy.ldm.audio.autoencoder import AudioOobleckVAE
    from comfy.ldm.cascade.stage_a import StageA
    from comfy.ldm.cascade.stage_c_coder import Previewer
    from comfy.taesd.taesd import TAESD

    cosmos = {"z_channels": 16, "latent_channels": 16, "z_factor": 1, "resolution": 1024, "in_channels": 3,
              "out_channels": 3, "channels": 128, "channels_mult": [2, 4, 4], "num_res_blocks": 2,
              "attn_resolutions": [32], "dropout": 0.0, "patch_size": 4, "num_groups": 1,
              "temporal_compression": 8, "spacial_compression": 8}  # fmt: skip
    wan = {"dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": [],
           "temperal_downsample": [False, True, True], "dropout": 0.0}  # fmt: skip
    video, refiner = "comfy.ldm.hunyuan_video.vae", "comfy.ldm.hunyuan_video.vae_refiner"
    image = _HUNYUAN | {"block_out_channels": [128, 256, 512, 512, 1024, 1024], "ffactor_spatial": 32,
                        "z_channels": 64}  # fmt: skip
    temporal = "comfy.ldm.modules"
    svd = _KL | {"attn_type": "vanilla"}
    for name, base, tensors in (
        ("vae-kl-4", None, kl()),
        ("vae-flux", None, kl(16, quant=False)),
        ("vae-flux2", "Flux 2", kl(32, batch_norm_latent=True)),
        ("vae-x4", "SD 2", kl(4, ch_mult=[1, 2, 4])),
        ("vae-hunyuan-video", "Hunyuan Video", kl(16, conv3d=True, time_compress=4)),
        ("vae-hunyuan-image", "Hunyuan Image", _engine(f"{video}.Encoder", f"{video}.Decoder", image)),
        (
            "vae-hunyuan-image-refiner",
            "Hunyuan Image",
            _engine(f"{refiner}.Encoder", f"{refiner}.Decoder", _HUNYUAN | {"refiner_vae": False}),
        ),
        (
            "vae-hunyuan-video-15",
            "Hunyuan Video",
            _engine(f"{refiner}.Encoder", f"{refiner}.Decoder", _HUNYUAN, "Empty"),
        ),
        (
            "vae-svd",
            "Stable Video Diffusion",
            _engine(f"{temporal}.diffusionmodules.model.Encoder", f"{temporal}.temporal_ae.VideoDecoder", svd),
        ),
        ("vae-oobleck", "Stable Audio", shapes_of(AudioOobleckVAE)),
        ("vae-mochi", "Mochi", shapes_of(comfy.ldm.genmo.vae.model.VideoVAE)),
        *(
            (
                f"vae-ltx-{version}",
                "LTX-Video",
                shapes_of(comfy.ldm.lightricks.vae.causal_video_autoencoder.VideoVAE, version=version, config=None),
            )
            for version in (0, 1, 2)
        ),
        ("vae-cosmos", "Cosmos", shapes_of(comfy.ldm.cosmos.vae.CausalContinuousVideoTokenizer, **cosmos)),
        ("vae-wan21", "Wan", shapes_of(comfy.ldm.wan.vae.WanVAE, **wan)),
        ("vae-wan22", "Wan", shapes_of(comfy.ldm.wan.vae2_2.WanVAE, **wan | {"dim": 160, "z_dim": 48})),
        ("vae-hunyuan3d", "Hunyuan 3D", shapes_of(comfy.ldm.hunyuan3d.vae.ShapeVAE)),
        (
            "vae-mmaudio",
            "MMAudio",
            shapes_of(comfy.ldm.mmaudio.vae.autoencoder.AudioAutoencoder, mode="16k"),
        ),
        ("vae-cascade-a", "Stable Cascade", shapes_of(StageA)),
        ("vae-cascade-c-previewer", "Stable Cascade", shapes_of(Previewer)),
        ("vae-taesd", None, shapes_of(TAESD)),
    ):
        yield Header(name=name, kind="vae", base_model=base, made_by="comfy.sd.VAE's classes", tensors=tensors)


def _small_autoencoders() -> Iterator[Header]:
    from comfy.taesd.taehv import TAEHV
    from comfy.taesd.taesd import TAESD

    for channels, name in ((4, "taesd"), (16, "taef1")):
        both = shapes_of(TAESD, latent_channels=channels)
        for half in ("encoder", "decoder"):
            stem = f"taesd_{half}."
            tensors = {key.removeprefix(stem): shape for key, shape in both.items() if key.startswith(stem)}
            yield Header(
                name=f"{name}-{half}", kind="vae_approx", base_model=None, made_by="comfy.taesd.taesd.TAESD",
                tensors=tensors,
            )  # fmt: skip
    for channels, base in ((16, None), (48, "Wan")):
        yield Header(
            name=f"taehv-{channels}", kind="vae_approx", base_model=base, made_by="comfy.taesd.taehv.TAEHV",
            tensors=shapes_of(TAEHV, latent_channels=channels), dtype="F16",
        )  # fmt: skip


def _controlnets() -> Iterator[Header]:
    from comfy.cldm.cldm import ControlNet
    from comfy.cldm.dit_embedder import ControlNetEmbedder
    from comfy.cldm.mmdit import ControlNet as MMDiTControlNet
    from comfy.ldm.flux.controlnet import ControlNetFlux
    from comfy.ldm.hydit.controlnet import HunYuanControlNet
    from comfy.ldm.qwen_image.controlnet import QwenImageControlNetModel

    common = {"image_size": 32, "in_channels": 4, "model_channels": 320, "hint_channels": 3, "legacy": False,
              "num_res_blocks": [2, 2, 2, 2], "channel_mult": [1, 2, 4, 4], "use_spatial_transformer": True,
              "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_middle": 1,
              "use_linear_in_transformer": True, "num_head_channels": 64, "num_heads": -1}  # fmt: skip
    xl = {key: value for key, value in _SDXL.items() if key != "transformer_depth_output"}
    unets = {"sd15": ("SD 1.5", _SD1), "sd2": ("SD 2", {"context_dim": 1024}), "sdxl": ("SDXL", xl)}
    for name, (base, numbers) in unets.items():
        tensors = shapes_of(ControlNet, **common | numbers, **_OPS)
        made_by = "comfy.cldm.cldm.ControlNet"
        yield Header(name=f"controlnet-{name}", kind="controlnet", base_model=base, made_by=made_by, tensors=tensors)
        full = {f"control_model.{key}": shape for key, shape in tensors.items()}
        yield Header(name=f"controlnet-{name}-pth", kind="controlnet", base_model=base, made_by=made_by, tensors=full)
        if name != "sd2":
            low = dict(_low_rank(tensors)) | {"lora_controlnet": ()}
            made_by = "comfy.cldm.cldm.ControlNet in the names of comfy.controlnet.ControlLoraOps"
            yield Header(
                name=f"control-lora-{name}", kind="control_lora", base_model=base, made_by=made_by, tensors=low
            )
    mmdit = {key: value for key, value in _MMDIT.items() if key not in {"out_channels", "pos_embed_max_size"}}
    flux = {key: value for key, value in _FLUX.items() if key not in {"depth", "depth_single_blocks"}}
    for name, base, make, numbers in (
        ("sd3", "SD 3", MMDiTControlNet, mmdit | {"num_blocks": 12, "control_latent_channels": 16}),
        (
            "sd35",
            "SD 3",
            ControlNetEmbedder,
            {"img_size": None, "patch_size": 2, "in_chans": 16, "num_layers": 19, "main_model_double": 38,
             "double_y_emb": False, "attention_head_dim": 64, "num_attention_heads": 38, "adm_in_channels": 2048},
        ),
        ("flux-xlabs", "Flux", ControlNetFlux, flux | {"depth": 2, "depth_single_blocks": 0}),
        (
            "flux-instantx-union",
            "Flux",
            ControlNetFlux,
            flux | {"depth": 5, "depth_single_blocks": 10, "latent_input": True, "num_union_modes": 10,
                    "control_latent_channels": 16},
        ),
        ("hydit", "HunyuanDiT", HunYuanControlNet, {}),
        ("qwen", "Qwen-Image", QwenImageControlNetModel, {"num_layers": 5}),
    ):  # fmt: skip
        tensors = shapes_of(make, **numbers, **_OPS)
        made_by = f"{make.__module__}.{make.__name__}"
        yield Header(name=f"controlnet-{name}", kind="controlnet", base_model=base, made_by=made_by, tensors=tensors)


def _low_rank(tensors: dict[str, Shape], rank: int = 128) -> Iterator[tuple[str, Shape]]:
    for name, shape in tensors.items():
        if name.endswith(".weight") and len(shape) > 1 and not name.startswith(("zero_convs", "input_hint")):
            stem = name.removesuffix("weight")
            yield f"{stem}up", (shape[0], rank, *(1,) * (len(shape) - 2))
            yield f"{stem}down", (rank, *shape[1:])
        else:
            yield name, shape


def _adapters() -> Iterator[Header]:
    from comfy.gligen import GatedSelfAttentionDense, PositionNet
    from comfy.ldm.flux.redux import ReduxImageEncoder
    from comfy.t2i_adapter.adapter import Adapter, Adapter_light, StyleAdapter
    from comfy_extras.nodes_photomaker import PhotoMakerIDEncoder

    for name, base, make, numbers in (
        ("sd15", "SD 1.5", Adapter, {"cin": 192, "ksize": 1, "sk": True, "use_conv": False, "xl": False}),
        ("sd15-one-channel", "SD 1.5", Adapter, {"cin": 64, "ksize": 1, "sk": True, "use_conv": False, "xl": False}),
        ("sdxl", "SDXL", Adapter, {"cin": 768, "nums_rb": 2, "ksize": 1, "sk": True, "use_conv": False, "xl": True}),
        ("light", "SD 1.5", Adapter_light, {"cin": 192, "nums_rb": 4, "channels": [320, 640, 1280, 1280]}),
    ):
        made_by = f"{make.__module__}.{make.__name__}"
        tensors = shapes_of(make, **numbers)
        yield Header(name=f"t2i-{name}", kind="t2i_adapter", base_model=base, made_by=made_by, tensors=tensors)
    style = shapes_of(StyleAdapter, width=1024, context_dim=768, num_head=8, n_layes=3, num_token=8)
    redux = shapes_of(ReduxImageEncoder)
    for name, base, tensors in (("style-t2i", "SD 1.5", style), ("style-redux", "Flux", redux)):
        yield Header(
            name=name, kind="style_model", base_model=base, made_by="comfy.sd.load_style_model", tensors=tensors
        )
    yield Header(
        name="photomaker-v1", kind="photomaker", base_model="SDXL", tensors=shapes_of(PhotoMakerIDEncoder),
        made_by="comfy_extras.nodes_photomaker.PhotoMakerIDEncoder",
    )  # fmt: skip
    gligen = {f"position_net.{key}": shape for key, shape in shapes_of(PositionNet, in_dim=768, out_dim=768).items()}
    for block, width in (("input_blocks.1.1", 320), ("input_blocks.4.1", 640), ("middle_block.1", 1280)):
        fuser = shapes_of(GatedSelfAttentionDense, query_dim=width, context_dim=768, n_heads=8, d_head=width // 8)
        gligen |= {f"{block}.transformer_blocks.0.fuser.{key}": shape for key, shape in fuser.items()}
    yield Header(name="gligen-sd15", kind="gligen", base_model="SD 1.5", made_by="comfy.gligen", tensors=gligen)


def _patches() -> Iterator[Header]:
    from comfy.ldm.hunyuan_video.upsampler import SRModel3DV2, Upsampler
    from comfy_extras.nodes_model_patch import QwenImageBlockWiseControlNet, SigLIPMultiFeatProjModel

    blockwise = shapes_of(QwenImageBlockWiseControlNet, **_OPS)
    uso = {f"feature_embedder.{key}": shape for key, shape in shapes_of(SigLIPMultiFeatProjModel, **_OPS).items()}
    for name, base, tensors in (("patch-qwen", "Qwen-Image", blockwise), ("patch-uso", "Flux", uso)):
        made_by = "comfy_extras.nodes_model_patch"
        yield Header(name=name, kind="model_patch", base_model=base, made_by=made_by, tensors=tensors)
    numbers = {"in_channels": 32, "out_channels": 32, "hidden_channels": 64, "num_blocks": 6, "global_residual": False}
    large = {"z_channels": 32, "out_channels": 32, "block_out_channels": (64, 64), "num_res_blocks": 2}
    for name, tensors in (("720p", shapes_of(SRModel3DV2, **numbers)), ("1080p", shapes_of(Upsampler, **large))):
        yield Header(
            name=f"latent-upscale-{name}", kind="latent_upscale_model", base_model="Hunyuan Video", tensors=tensors,
            made_by="comfy.ldm.hunyuan_video.upsampler",
        )  # fmt: skip


def _vision() -> Iterator[Header]:
    import comfy.clip_vision
    from comfy.clip_model import CLIPVisionModelProjection
    from comfy.image_encoders.dino2 import Dinov2Model

    folder = Path(comfy.clip_vision.__file__).parent
    for name, file in (
        ("vit-l", "clip_vision_config_vitl.json"),
        ("vit-h", "clip_vision_config_h.json"),
        ("vit-g", "clip_vision_config_g.json"),
        ("siglip-384", "clip_vision_siglip_384.json"),
        ("siglip-512", "clip_vision_siglip_512.json"),
        ("llava", "clip_vision_config_vitl_336_llava.json"),
    ):
        config = json.loads((folder / file).read_text())
        tensors = shapes_of(CLIPVisionModelProjection, config_dict=config, **_OPS)
        made_by = "comfy.clip_model.CLIPVisionModelProjection"
        yield Header(name=f"vision-{name}", kind="clip_vision", base_model=None, made_by=made_by, tensors=tensors)
    for name in ("dino2_large", "dino2_giant"):
        config = json.loads((folder / "image_encoders" / f"{name}.json").read_text())
        tensors = shapes_of(Dinov2Model, config_dict=config, **_OPS)
        made_by = "comfy.image_encoders.dino2.Dinov2Model"
        yield Header(name=f"vision-{name}", kind="clip_vision", base_model=None, made_by=made_by, tensors=tensors)


def _audio() -> Iterator[Header]:
    from comfy.audio_encoders.wav2vec2 import Wav2Vec2Model

    base = {"embed_dim": 768, "num_heads": 12, "num_layers": 12, "conv_norm": False, "conv_bias": False,
            "do_normalize": False, "do_stable_layer_norm": False}  # fmt: skip
    for name, make, numbers in (
        ("wav2vec2-large", Wav2Vec2Model, {}),
        ("wav2vec2-base", Wav2Vec2Model, base),
    ):
        tensors = shapes_of(make, **numbers, **_OPS)
        made_by = f"{make.__module__}.{make.__name__}"
        yield Header(name=name, kind="audio_encoder", base_model=None, made_by=made_by, tensors=tensors)
