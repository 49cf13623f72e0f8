"""Load VAE (auto-download)."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .loader import CATEGORY, StowLoader


class LoadVAE(StowLoader):
    """VAELoader that fetches a missing file."""

    STOCK = "VAELoader"
    FOLDER = "vae"
    NAMES = ("vae_name",)

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowLoadVAE",
            display_name="Load VAE (auto-download)",
            category=CATEGORY,
            description="Loads a VAE; a missing file is fetched first.",
            inputs=[cls.name_input("vae_name"), cls.source_input()],
            outputs=[io.Vae.Output()],
            hidden=[io.Hidden.unique_id],
        )
