"""What a source says of the folder a file belongs to; the file's own header knows better and is asked first."""

from __future__ import annotations

from ..records.model import canonical_folder

# ComfyUI's folder names (folder_paths.py at 0.3.75) that repositories for ComfyUI use as folders.
# fmt: off
_FOLDERS = frozenset({
    "audio_encoders", "background_removal", "checkpoints", "clip", "clip_vision", "controlnet", "diffusion_models",
    "embeddings", "gligen", "hypernetworks", "latent_upscale_models", "loras", "model_patches", "photomaker",
    "style_models", "text_encoders", "unet", "upscale_models", "vae", "vae_approx",
})
# fmt: on
# In a diffusers repository `vae/` and `unet/` are parts of one pipeline, and these are the names of their files.
_DIFFUSERS_NAMES = ("diffusion_pytorch_model", "model.", "model-0", "pytorch_model")

# Civitai's file.type goes before model.type: a "Checkpoint" may hold a bare diffusion model.
_FILE_TYPES = {
    "VAE": "vae",
    "Text Encoder": "text_encoders",
    "Vision Encoder": "clip_vision",
    "CLIPVision": "clip_vision",
    "UNet": "diffusion_models",
    "Diffusion Model": "diffusion_models",
    "ControlNet": "controlnet",
    "Upscaler": "upscale_models",
    "Enhancement LoRA": "loras",
    "Negative": "embeddings",
}
_MAIN_FILE_TYPES = frozenset({"Model", "Pruned Model"})
_MODEL_TYPES = {
    "Checkpoint": "checkpoints",
    "TextualInversion": "embeddings",
    "Hypernetwork": "hypernetworks",
    "LORA": "loras",
    "LoCon": "loras",
    "DoRA": "loras",
    "Controlnet": "controlnet",
    "Upscaler": "upscale_models",
    "VAE": "vae",
    "TextEncoder": "text_encoders",
    "CLIP": "text_encoders",
    "UNet": "diffusion_models",
    "CLIPVision": "clip_vision",
}

#: Types of files that a version lists beside its model.
SIDE_FILE_TYPES = frozenset({"Config", "Archive", "Training Data", "Workflow", "Negative", "Other"})


def folder_of_path(path: str) -> str | None:
    """Return the folder that a path in a repository names: the last part that is one of ComfyUI's."""
    *parents, name = path.split("/")
    if name.startswith(_DIFFUSERS_NAMES):
        return None
    return next((canonical_folder(part) for part in reversed(parents) if part in _FOLDERS), None)


def folder_of_civitai(file_type: str | None, model_type: str | None) -> str | None:
    """Return the folder for Civitai's types, None when they name none."""
    if file_type is not None and file_type not in _MAIN_FILE_TYPES:
        return _FILE_TYPES.get(file_type)
    return _MODEL_TYPES.get(model_type or "")


def civitai_types_of(folder_name: str | None) -> list[str]:
    """Return Civitai's model types that belong to a folder; none for a folder that the site has no type for."""
    return [kind for kind, folder in _MODEL_TYPES.items() if folder == folder_name]
