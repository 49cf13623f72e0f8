"""AnimateDiff: motion modules for Stable Diffusion."""

from __future__ import annotations

from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Subject


def motion_module(subject: Subject) -> Claim | WhyNot:
    """Hold for AnimateDiff's modules, and for LoRAs of them."""
    if not subject.mentions(".motion_modules."):
        return WhyNot("no `motion_modules.`")
    name = next((one for one in subject.tensors if ".motion_modules." in one and ".transformer_blocks." in one), None)
    if name is None:
        return WhyNot("its `motion_modules.` have no transformer")
    if subject.mentions("lora"):
        return Claim(kind=Kind.MOTION_LORA, base_model="SD 1.5", evidence=(f"`{name}` is there, of low rank",))
    sdxl = not subject.begins("down_blocks.3.")
    told = (f"`{name}` is there", "without `down_blocks.3.`" if sdxl else "with `down_blocks.3.`")
    return Claim(kind=Kind.MOTION_MODULE, base_model="SDXL" if sdxl else "SD 1.5", evidence=told)
