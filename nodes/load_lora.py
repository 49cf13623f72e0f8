"""Load LoRA (auto-download)."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import comfyui
from .loader import CATEGORY, StowLoader


class LoadLora(StowLoader):
    """LoraLoader that fetches a missing file; without a CLIP it is LoraLoaderModelOnly."""

    STOCK = "LoraLoader"
    FOLDER = "loras"
    NAMES = ("lora_name",)

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        strength: dict[str, Any] = {"default": 1.0, "min": -100.0, "max": 100.0, "step": 0.01}
        return io.Schema(
            node_id="StowLoadLora",
            display_name="Load LoRA (auto-download)",
            category=CATEGORY,
            description="Applies a LoRA; a missing file is fetched first. The CLIP may be left out.",
            inputs=[
                io.Model.Input("model"),
                io.Clip.Input("clip", optional=True),
                cls.name_input("lora_name"),
                io.Float.Input("strength_model", **strength),
                io.Float.Input("strength_clip", **strength),
                cls.source_input(),
            ],
            outputs=[io.Model.Output(), io.Clip.Output()],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def load(cls, inputs: dict[str, Any]) -> tuple[Any, ...]:
        """Apply it to the model, and to the CLIP when there is one."""
        return await comfyui.run_stock(cls.STOCK, {"clip": None, **inputs})
