"""Load CLIP Vision (auto-download)."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .loader import CATEGORY, StowLoader


class LoadCLIPVision(StowLoader):
    """CLIPVisionLoader that fetches a missing file."""

    STOCK = "CLIPVisionLoader"
    FOLDER = "clip_vision"
    NAMES = ("clip_name",)

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowLoadCLIPVision",
            display_name="Load CLIP Vision (auto-download)",
            category=CATEGORY,
            description="Loads a CLIP vision model; a missing file is fetched first.",
            inputs=[cls.name_input("clip_name"), cls.source_input()],
            outputs=[io.ClipVision.Output()],
            hidden=[io.Hidden.unique_id],
        )
