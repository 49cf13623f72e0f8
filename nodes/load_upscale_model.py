"""Load Upscale Model (auto-download)."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .loader import CATEGORY, StowLoader


class LoadUpscaleModel(StowLoader):
    """UpscaleModelLoader that fetches a missing file."""

    STOCK = "UpscaleModelLoader"
    FOLDER = "upscale_models"
    NAMES = ("model_name",)

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowLoadUpscaleModel",
            display_name="Load Upscale Model (auto-download)",
            category=CATEGORY,
            description="Loads an upscale model; a missing file is fetched first.",
            inputs=[cls.name_input("model_name"), cls.source_input()],
            outputs=[io.UpscaleModel.Output()],
            hidden=[io.Hidden.unique_id],
        )
