"""Small autoencoders for previews: TAESD and its kin for each latent space (madebyollin)."""

from __future__ import annotations

from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Part, Subject

# Channels of the latents -> base models that use them.
_SPACES = {4: "4 latent channels: SD 1.5 or SDXL", 16: "16 latent channels: SD 3, Flux or a film's"}


def vae_approx(subject: Subject) -> Claim | WhyNot:
    """Hold where 64 channels go through numbered modules without names."""
    whole = subject.whole
    if whole.has("taesd_decoder.1.weight") or whole.has("taesd_encoder.0.weight"):
        return WhyNot("both halves are in one file, which the VAE loader takes")
    film = _film(whole)
    if film is not None:
        return film
    if len(subject.tensors) < 200:
        for first, block, side in (("1.weight", "3.conv.0.weight", 1), ("0.weight", "1.conv.0.weight", None)):
            if whole.has(first, block) and whole.size(block, 0) == 64:
                return _half(subject, first, block, side)
        for stem in ("decoder.layers.", "encoder.layers."):
            if whole.has(stem + "0.weight") and any(".conv.0.weight" in name for name in whole.names(stem)):
                return _claim(whole.told(stem + "0.weight"), None)
    return WhyNot("no numbered modules of 64 channels")


def _half(subject: Subject, first: str, block: str, side: int | None) -> Claim:
    whole = subject.whole
    last = max(whole.blocks(""), default=0)
    channels = whole.size(first, 1) if side is not None else whole.size(f"{last}.weight", 0)
    return _claim(whole.told(first, block), _SPACES.get(channels or 0))


def _film(whole: Part) -> Claim | None:
    if not whole.has("decoder.22.bias", "decoder.1.weight"):
        return None
    channels = whole.size("decoder.1.weight", 1)
    base = {48: "Wan", 32: "Hunyuan Video"}.get(channels or 0)
    told = whole.told("decoder.22.bias", "decoder.1.weight")
    return Claim(kind=Kind.VAE_APPROX, base_model=base, detail=f"film, {channels} latent channels", evidence=told)


def _claim(told: tuple[str, ...], detail: str | None) -> Claim:
    return Claim(kind=Kind.VAE_APPROX, detail=detail, evidence=told)
