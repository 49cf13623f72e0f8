"""Networks that enlarge latents."""

from __future__ import annotations

from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Subject


def latent_upscale_model(subject: Subject) -> Claim | WhyNot:
    """Hold for networks that enlarge latents (ComfyUI comfy_extras/nodes_hunyuan.py, Lightricks' upsamplers)."""
    whole = subject.whole
    for names, base in (
        (("in_conv.conv.weight", "blocks.0.block.0.conv.weight"), "Hunyuan Video"),
        (("conv_in.conv.weight", "up.0.block.0.conv1.conv.weight"), "Hunyuan Video"),
        (("initial_conv.weight", "post_upsample_res_blocks.0.conv1.weight"), "LTX-Video"),
    ):
        if whole.has(*names) and not whole.holds("encoder."):
            return Claim(kind=Kind.LATENT_UPSCALE_MODEL, base_model=base, evidence=whole.told(*names))
    return WhyNot("no network that enlarges latents")
