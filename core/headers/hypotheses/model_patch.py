"""Model patches: what steers a diffusion model from inside its blocks."""

from __future__ import annotations

from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Subject


def model_patch(subject: Subject) -> Claim | WhyNot:
    """Hold for what ComfyUI's Load Model Patch takes (comfy_extras/nodes_model_patch.py)."""
    whole = subject.whole
    for name, base, detail in (
        ("controlnet_blocks.0.y_rms.weight", "Qwen-Image", "DiffSynth ControlNet"),
        ("feature_embedder.mid_layer_norm.bias", "Flux", "USO style projector"),
        ("control_all_x_embedder.2-1.weight", "Z-Image", "Fun ControlNet"),
    ):
        if whole.has(name):
            return Claim(kind=Kind.MODEL_PATCH, base_model=base, detail=detail, evidence=whole.told(name))
    return WhyNot("no tensor of a known patch")
