"""Load ControlNet (auto-download)."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .loader import CATEGORY, StowLoader


class LoadControlNet(StowLoader):
    """ControlNetLoader that fetches a missing file."""

    STOCK = "ControlNetLoader"
    FOLDER = "controlnet"
    NAMES = ("control_net_name",)

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowLoadControlNet",
            display_name="Load ControlNet (auto-download)",
            category=CATEGORY,
            description="Loads a ControlNet; a missing file is fetched first.",
            inputs=[cls.name_input("control_net_name"), cls.source_input()],
            outputs=[io.ControlNet.Output()],
            hidden=[io.Hidden.unique_id],
        )
