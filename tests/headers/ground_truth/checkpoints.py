"""Checkpoints as ComfyUI itself saves them: its model classes, renamed by its `process_*_state_dict_for_saving`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from comfy_diffusion import TRANSFORMERS, UNETS, _unet, transformer
from comfy_others import kl
from truth import Header, Shape

_CLIP = {"device": "meta", "dtype": torch.bfloat16}


def _meta(shapes: dict[str, Shape]) -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape, device="meta", dtype=torch.bfloat16) for name, shape in shapes.items()}


def _state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return dict(model.state_dict())


def saved(config: Any, unet: dict[str, Shape], clip: torch.nn.Module | None, vae: dict[str, Shape]) -> dict[str, Shape]:
    """Name the parts as a checkpoint has them."""
    parts = dict(config.process_unet_state_dict_for_saving(_meta(unet)))
    parts |= config.process_vae_state_dict_for_saving(_meta(vae))
    if clip is not None:
        parts |= config.process_clip_state_dict_for_saving(_state(clip))
    return {name: tuple(tensor.shape) for name, tensor in parts.items()}


def headers() -> Iterator[Header]:
    """Make the checkpoints that people have most, and one of each way of saving."""
    import comfy.sd1_clip
    import comfy.sdxl_clip
    import comfy.supported_models
    import comfy.text_encoders.flux
    import comfy.text_encoders.sd2_clip
    import comfy.text_encoders.sd3_clip

    models = comfy.supported_models
    t5 = comfy.text_encoders.flux.flux_clip(dtype_t5=torch.bfloat16)
    sd3 = comfy.text_encoders.sd3_clip.sd3_clip(dtype_t5=torch.bfloat16)
    for name, config, clip, vae in (
        ("sd15", models.SD15, comfy.sd1_clip.SD1ClipModel, kl()),
        ("sd15-inpainting", models.SD15, comfy.sd1_clip.SD1ClipModel, kl()),
        ("sd2", models.SD20, comfy.text_encoders.sd2_clip.SD2ClipModel, kl()),
        ("sdxl", models.SDXL, comfy.sdxl_clip.SDXLClipModel, kl()),
        ("sdxl-refiner", models.SDXLRefiner, comfy.sdxl_clip.SDXLRefinerClipModel, kl()),
        ("svd", models.SVD_img2vid, None, kl()),
        ("sd3-medium", models.SD3, sd3, kl(16, quant=False)),
        ("flux-dev", models.Flux, t5, kl(16, quant=False)),
        ("auraflow", models.AuraFlow, None, kl()),
        ("ltx-2b", models.LTXV, None, kl()),
        ("stable-audio", models.StableAudio, None, kl()),
        ("cosmos-predict2-2b", models.CosmosT2IPredict2, None, kl(16, quant=False)),
    ):
        unets = UNETS.get(name)
        base, unet = (unets[0], _unet(**unets[1])) if unets is not None else _of_transformer(name)
        encoder = clip(**_CLIP) if clip is not None else None
        made_by = f"comfy.supported_models.{config.__name__}.process_*_state_dict_for_saving"
        tensors = saved(config({}), unet, encoder, vae)
        yield Header(name=f"checkpoint-{name}", kind="checkpoint", base_model=base, made_by=made_by, tensors=tensors)


def _of_transformer(name: str) -> tuple[str, dict[str, Shape]]:
    base, path, numbers = TRANSFORMERS[name]
    return base, transformer(path, numbers)
