"""Kinds of model files, and the folder of ComfyUI in which the loader of a kind looks."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a file is; the name says what loads it."""

    CHECKPOINT = "checkpoint"
    DIFFUSION_MODEL = "diffusion_model"
    TEXT_ENCODER = "text_encoder"
    VAE = "vae"
    VAE_APPROX = "vae_approx"
    LORA = "lora"
    CONTROLNET = "controlnet"
    T2I_ADAPTER = "t2i_adapter"
    CONTROL_LORA = "control_lora"
    CLIP_VISION = "clip_vision"
    STYLE_MODEL = "style_model"
    UPSCALE_MODEL = "upscale_model"
    EMBEDDING = "embedding"
    GLIGEN = "gligen"
    HYPERNETWORK = "hypernetwork"
    PHOTOMAKER = "photomaker"
    AUDIO_ENCODER = "audio_encoder"
    MODEL_PATCH = "model_patch"
    LATENT_UPSCALE_MODEL = "latent_upscale_model"
    IP_ADAPTER = "ip_adapter"
    MOTION_MODULE = "motion_module"
    MOTION_LORA = "motion_lora"
    INSTANTID = "instantid"
    PULID = "pulid"
    BACKGROUND_REMOVAL = "background_removal"
    FACE_RESTORATION = "face_restoration"


#: ComfyUI's own folder names (folder_paths.py at 0.3.75), and those that the packs of a kind register.
FOLDERS = {
    Kind.CHECKPOINT: "checkpoints",
    Kind.DIFFUSION_MODEL: "diffusion_models",
    Kind.TEXT_ENCODER: "text_encoders",
    Kind.VAE: "vae",
    Kind.VAE_APPROX: "vae_approx",
    Kind.LORA: "loras",
    Kind.CONTROLNET: "controlnet",
    Kind.T2I_ADAPTER: "controlnet",
    Kind.CONTROL_LORA: "controlnet",
    Kind.CLIP_VISION: "clip_vision",
    Kind.STYLE_MODEL: "style_models",
    Kind.UPSCALE_MODEL: "upscale_models",
    Kind.EMBEDDING: "embeddings",
    Kind.GLIGEN: "gligen",
    Kind.HYPERNETWORK: "hypernetworks",
    Kind.PHOTOMAKER: "photomaker",
    Kind.AUDIO_ENCODER: "audio_encoders",
    Kind.MODEL_PATCH: "model_patches",
    Kind.LATENT_UPSCALE_MODEL: "latent_upscale_models",
    Kind.IP_ADAPTER: "ipadapter",
    Kind.MOTION_MODULE: "animatediff_models",
    Kind.MOTION_LORA: "animatediff_motion_lora",
    Kind.INSTANTID: "instantid",
    Kind.PULID: "pulid",
    Kind.BACKGROUND_REMOVAL: "background_removal",
    Kind.FACE_RESTORATION: "facerestore_models",
}
