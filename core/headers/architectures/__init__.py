"""Base models, one module for each family: which tensors and shapes tell it, in a diffusion model's part of a file."""

from __future__ import annotations

from collections.abc import Callable

from ..classification import Match
from ..part import Part
from . import (
    ace_step,
    aura_flow,
    cascade,
    cogvideo,
    cosmos,
    diffusers_unet,
    flux,
    hidream,
    hunyuan_3d,
    hunyuan_dit,
    hunyuan_video,
    kandinsky,
    ltx,
    lumina,
    mochi,
    omnigen,
    pixart,
    qwen_image,
    sd3,
    stable_audio,
    stable_diffusion,
    wan,
)

#: Each answers with a match, or with the reason why the part is not of its family.
ARCHITECTURES: dict[str, Callable[[Part], Match | str]] = {
    "Stable Diffusion": stable_diffusion.recognise,
    "diffusers UNet": diffusers_unet.recognise,
    "SD 3": sd3.recognise,
    "Flux": flux.recognise,
    "Hunyuan Video": hunyuan_video.recognise,
    "HunyuanDiT": hunyuan_dit.recognise,
    "Hunyuan 3D": hunyuan_3d.recognise,
    "Wan": wan.recognise,
    "LTX-Video": ltx.recognise,
    "Qwen-Image": qwen_image.recognise,
    "Lumina 2": lumina.recognise,
    "HiDream": hidream.recognise,
    "AuraFlow": aura_flow.recognise,
    "PixArt": pixart.recognise,
    "Cosmos": cosmos.recognise,
    "Mochi": mochi.recognise,
    "Kandinsky": kandinsky.recognise,
    "Stable Cascade": cascade.recognise,
    "ACE-Step": ace_step.recognise,
    "Stable Audio": stable_audio.recognise,
    "OmniGen 2": omnigen.recognise,
    "CogVideoX": cogvideo.recognise,
}


def recognise(part: Part) -> tuple[Match | None, tuple[str, ...]]:
    """Try all families on a part. Returns the match, and otherwise why it is none of them."""
    reasons = []
    for name, ask in ARCHITECTURES.items():
        found = ask(part)
        if isinstance(found, Match):
            return found, ()
        reasons.append(f"{name}: {found}")
    return None, tuple(reasons)
