"""Load Diffusion Model (auto-download)."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .choices import stock_choices
from .loader import CATEGORY, StowLoader


class LoadDiffusionModel(StowLoader):
    """UNETLoader that fetches a missing file."""

    STOCK = "UNETLoader"
    FOLDER = "diffusion_models"
    NAMES = ("unet_name",)

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowLoadDiffusionModel",
            display_name="Load Diffusion Model (auto-download)",
            category=CATEGORY,
            description="Loads a diffusion model; a missing file is fetched first.",
            inputs=[
                cls.name_input("unet_name"),
                io.Combo.Input("weight_dtype", options=stock_choices(cls.STOCK, "weight_dtype")),
                cls.source_input(),
            ],
            outputs=[io.Model.Output()],
            hidden=[io.Hidden.unique_id],
        )
