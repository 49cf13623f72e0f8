"""Load Checkpoint (auto-download)."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .loader import CATEGORY, StowLoader


class LoadCheckpoint(StowLoader):
    """CheckpointLoaderSimple that fetches a missing file."""

    STOCK = "CheckpointLoaderSimple"
    FOLDER = "checkpoints"
    NAMES = ("ckpt_name",)

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowLoadCheckpoint",
            display_name="Load Checkpoint (auto-download)",
            category=CATEGORY,
            description="Loads a checkpoint; a missing file is fetched first.",
            inputs=[cls.name_input("ckpt_name"), cls.source_input()],
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
            hidden=[io.Hidden.unique_id],
        )
