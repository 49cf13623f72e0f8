"""VAEs: autoencoders between pictures, films or sounds and latents (ComfyUI comfy/sd.py `VAE`)."""

from __future__ import annotations

from ..classification import Claim, Confidence, Match, WhyNot
from ..kinds import Kind
from ..part import Part, Subject
from . import diffusion

_PREFIXES = ("", "vae.", "first_stage_model.", "model.", "pretransform.model.")
# A tensor that only one autoencoder has -> base model, version.
_TELLING: dict[str, tuple[str, str | None]] = {
    "vquantizer.codebook.weight": ("Stable Cascade", "stage A"),
    "backbone.1.0.block.0.1.num_batches_tracked": ("Stable Cascade", "stage C encoder"),
    "encoder.backbone.1.0.block.0.1.num_batches_tracked": ("Stable Cascade", "stage C"),
    "blocks.11.num_batches_tracked": ("Stable Cascade", "stage C previewer"),
    "decoder.layers.1.layers.0.beta": ("Stable Audio", None),
    "blocks.2.blocks.3.stack.5.weight": ("Mochi", None),
    "decoder.blocks.2.blocks.3.stack.5.weight": ("Mochi", None),
    "layers.4.layers.1.attn_block.attn.qkv.weight": ("Mochi", None),
    "encoder.layers.4.layers.1.attn_block.attn.qkv.weight": ("Mochi", None),
    "decoder.up_blocks.0.res_blocks.0.conv1.conv.weight": ("LTX-Video", None),
    "decoder.block_in.resnets.0.conv1.conv.weight": ("Mochi", None),
    "decoder.block.0.res_unit1.snake1.alpha": ("Stable Audio", None),
    "decoder.mid_block.resnets.0.norm1.conv_y.conv.weight": ("CogVideoX", None),
    "decoder.unpatcher3d.wavelets": ("Cosmos", None),
    "decoder.conv_in.0.conv3d.weight": ("Cosmos", None),
    "geo_decoder.cross_attn_decoder.ln_1.bias": ("Hunyuan 3D", None),
    "vocoder.backbone.channel_layers.0.0.bias": ("ACE-Step", None),
    "vocoder.activation_post.downsample.lowpass.filter": ("MMAudio", None),
    "decoder.upsamples.0.upsamples.0.residual.2.weight": ("Wan", "2.2 (48 channels)"),
    "pixel_space_vae": ("Chroma", "Radiance"),
}
_WAN = ("decoder.middle.0.residual.0.gamma", "decoder.mid_block.resnets.0.norm1.gamma")
_PLAIN = "decoder.conv_in.weight"
_FILM = "decoder.conv_in.conv.weight"


def vae(subject: Subject) -> Claim | WhyNot:
    """Hold where a decoder turns latents into what people see or hear, and no diffusion model is beside it."""
    if subject.adapters is not None:
        return WhyNot("it holds pairs of low rank")
    if subject.prefixes("model.diffusion_model.", "cond_stage_model.", "conditioner.", "text_encoders."):
        return WhyNot("it holds more than an autoencoder")
    for prefix in subject.prefixes(*_PREFIXES):
        part = subject.part(prefix)
        for name, (base, version) in _TELLING.items():
            if part.has(name):
                return _claim(base, version, part.told(name))
        if part.has("taesd_decoder.1.weight"):
            return _claim(None, None, part.told("taesd_decoder.1.weight"), "TAESD, both halves in one file")
        found = _wan(part) or _film(part) or _picture(part)
        if found is not None:
            if _has_model(subject):
                return WhyNot("a diffusion model is beside it")
            return found
    return WhyNot(f"no `{_PLAIN}`, and no tensor that only one autoencoder has")


def _has_model(subject: Subject) -> bool:
    found = diffusion.find(subject)
    return len(found) == 2 and isinstance(found[1], Match)


def _claim(
    base: str | None, version: str | None, told: tuple[str, ...], detail: str | None = None, *, sure: bool = True
) -> Claim:
    return Claim(
        kind=Kind.VAE,
        base_model=base,
        base_model_version=version,
        detail=detail,
        evidence=told,
        confidence=Confidence.HIGH if sure else Confidence.LIKELY,
    )


def _wan(part: Part) -> Claim | None:
    name = part.any(*_WAN)
    if name is None:
        return None
    channels = part.size("decoder.conv_in.weight", 1) or part.size("decoder.conv_in.conv.weight", 1)
    if channels == 32:
        return _claim("Hunyuan Video", "1.5", part.told(name, "decoder.conv_in.conv.weight"))
    if channels == 48:
        return _claim("Wan", "2.2 (48 channels)", part.told(name, "decoder.conv_in.weight"))
    told = (*part.told(name), "Wan 2.1 and Qwen-Image have one autoencoder")
    return _claim("Wan", "2.1 (16 channels), as Qwen-Image's", told, sure=False)


def _film(part: Part) -> Claim | None:
    channels = part.size(_FILM, 1)
    if not part.has(_FILM):
        return None
    told = part.told(_FILM)
    if channels == 32:
        return _claim("Hunyuan Video", "1.5", told)
    if channels == 16:
        return _claim("Hunyuan Video", "1.0", told)
    if channels == 128:
        return _claim("LTX-Video", None, told)
    return None


_MIDDLES = (
    "decoder.mid.block_1.norm1.weight",
    "decoder.mid_block.resnets.0.norm1.weight",
    "decoder.mid.block_1.conv1.weight",
    "decoder.mid_block.resnets.0.conv1.weight",
)


def _picture(part: Part) -> Claim | None:
    if not part.has(_PLAIN) or part.has("quantize.embedding.weight"):
        return None
    if part.any(*_MIDDLES) is None:
        return _temporal(part)
    told = part.told(_PLAIN, "post_quant_conv.weight", "bn.running_mean")
    if part.any("decoder.time_conv_out.weight", "decoder.conv_out.time_mix_conv.weight") is not None:
        return _claim("Stable Video Diffusion", None, told)
    shape = part.shape(_PLAIN) or ()
    channels = shape[1] if len(shape) > 1 else 0
    return _by_channels(part, channels, told, film=len(shape) == 5)


def _by_channels(part: Part, channels: int, told: tuple[str, ...], *, film: bool) -> Claim:
    if channels == 64:
        return _claim("Hunyuan Image", "2.1", told)
    if channels == 32 and film:
        return _claim("Hunyuan Image", "2.1 refiner", told)
    if channels == 32 and part.has("bn.running_mean"):
        return _claim("Flux 2", None, told)
    if channels == 16:
        return _claim(None, None, told, "16 latent channels: Flux, SD 3, Lumina 2, HiDream and others share it")
    if channels == 4:
        if part.any("decoder.up.3.block.0.conv1.weight", "decoder.up_blocks.3.resnets.0.conv1.weight") is None:
            return _claim("SD 2", "x4 upscaler", told)
        return _claim(None, None, told, "4 latent channels: SD 1.5, SD 2 or SDXL")
    return _claim(None, None, told, f"{channels} latent channels", sure=False)


def _temporal(part: Part) -> Claim | None:
    name = part.any("decoder.mid_block.resnets.0.spatial_res_block.norm1.weight")
    if name is not None:
        return _claim("Stable Video Diffusion", None, part.told(_PLAIN, name))
    return None
