"""One hypothesis a module: each looks at a header and returns its claim with the evidence, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable

from ..classification import Claim, WhyNot
from ..part import Subject
from .audio_encoder import audio_encoder
from .checkpoint import checkpoint
from .clip_vision import clip_vision
from .controlnet import controlnet
from .diffusion_model import diffusion_model
from .embedding import embedding
from .face_restoration import face_restoration
from .gligen import gligen
from .hypernetwork import hypernetwork
from .ip_adapter import ip_adapter
from .latent_upscale_model import latent_upscale_model
from .lora import lora
from .model_patch import model_patch
from .motion_module import motion_module
from .photomaker import photomaker
from .pulid import pulid
from .style_model import style_model
from .text_encoder import text_encoder
from .upscale_model import upscale_model
from .vae import vae
from .vae_approx import vae_approx

#: All of them; none may rest on the order.
HYPOTHESES: dict[str, Callable[[Subject], Claim | WhyNot]] = {
    "LoRA": lora,
    "checkpoint": checkpoint,
    "diffusion model": diffusion_model,
    "text encoder": text_encoder,
    "VAE": vae,
    "small VAE": vae_approx,
    "ControlNet": controlnet,
    "vision encoder": clip_vision,
    "style model": style_model,
    "upscale model": upscale_model,
    "face restoration": face_restoration,
    "embedding": embedding,
    "GLIGEN": gligen,
    "PhotoMaker": photomaker,
    "audio encoder": audio_encoder,
    "model patch": model_patch,
    "latent upscale model": latent_upscale_model,
    "hypernetwork": hypernetwork,
    "IP-Adapter": ip_adapter,
    "motion module": motion_module,
    "PuLID": pulid,
}
