"""The nodes. Only this package imports `comfy_api`; a node is a thin thing over the engine."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import ComfyExtension


class StowExtension(ComfyExtension):  # type: ignore[misc]
    """What ComfyUI asks for our nodes."""

    async def get_node_list(self) -> list[type[Any]]:
        """Return all nodes, and let prompts that ask for it be rewritten before ComfyUI checks them."""
        from .comfyui import on_prompt
        from .ensure_model import EnsureModel
        from .ensure_workflow import EnsureWorkflowModels, rewrite_request
        from .load_checkpoint import LoadCheckpoint
        from .load_clip import LoadCLIP
        from .load_clip_vision import LoadCLIPVision
        from .load_controlnet import LoadControlNet
        from .load_diffusion_model import LoadDiffusionModel
        from .load_lora import LoadLora
        from .load_upscale_model import LoadUpscaleModel
        from .load_vae import LoadVAE
        from .model_info import ModelInfo
        from .system_stats import SystemStats

        on_prompt(rewrite_request)
        return [
            EnsureModel,
            EnsureWorkflowModels,
            LoadCheckpoint,
            LoadDiffusionModel,
            LoadLora,
            LoadVAE,
            LoadCLIP,
            LoadControlNet,
            LoadCLIPVision,
            LoadUpscaleModel,
            ModelInfo,
            SystemStats,
        ]
