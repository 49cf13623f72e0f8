"""Find the diffusion model in a file: alone, or under the prefix that trainers and checkpoints put before it."""

from __future__ import annotations

from ..architectures import recognise
from ..classification import Match
from ..part import Subject

#: Most telling first (ComfyUI `unet_prefix_from_state_dict`; the last of them are what trainers save).
# fmt: off
PREFIXES = (
    "model.diffusion_model.", "model.model.", "net.", "diffusion_model.", "model.", "transformer.", "module.", "",
)
#: Tensors of a network that steers a diffusion model and repeats its blocks.
CONTROL_STEMS = (
    "controlnet_blocks", "controlnet_down_blocks", "controlnet_x_embedder", "zero_convs", "input_hint_block",
    "control_model", "controlnet_single_blocks", "single_controlnet_blocks", "pos_embed_input",
    "controlnet_cond_embedding", "after_proj_list", "control_all_x_embedder", "control_layers",
)
# fmt: on
#: Where checkpoints keep the VAE, and what makes a checkpoint of a diffusion model.
VAE_STEMS = ("first_stage_model.", "vae.", "pretransform.model.")
BESIDE = (*VAE_STEMS, "cond_stage_model.", "conditioner.", "text_encoders.", "text_encoder.", "embedder.model.visual.")


def find(subject: Subject) -> tuple[str, Match] | tuple[str, ...]:
    """Return the prefix and the match, or the reasons why there is none."""
    reasons: list[str] = []
    for prefix in subject.prefixes(*PREFIXES):
        match, why = recognise(subject.part(prefix))
        if match is not None:
            return prefix, match
        reasons.extend(f"under `{prefix}`: {one}" if prefix else one for one in why)
    return tuple(reasons)


def steers(subject: Subject) -> str | None:
    """Return the stem that says that the file steers a diffusion model instead of being one."""
    return next((one for one in CONTROL_STEMS if one in subject.tensors or subject.begins(one + ".")), None)
