"""Ensure Model: a reference becomes a name that any loader takes."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import comfyui
from .choices import folder_choices


class EnsureModel(io.ComfyNode):  # type: ignore[misc]
    """Sees that a model is there, and gives its name.

    The output is of any type: loaders' lists take a link of that type on every version, and check no linked value.
    """

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowEnsureModel",
            display_name="Ensure Model",
            category="ComfyStow",
            description="Fetches a model that is not there, and gives its name to any loader.",
            inputs=[
                io.String.Input("source", default="", tooltip="A Hugging Face or Civitai link, hf://…, civitai://…"),
                io.Combo.Input("folder", options=folder_choices(), tooltip="The folder that the loader reads."),
                io.String.Input("name", default="", optional=True, tooltip="Name to save it under; empty: its own."),
                io.String.Input("sha256", default="", optional=True, tooltip="When given it must match."),
            ],
            outputs=[io.AnyType.Output("model_name", display_name="name")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, **_kwargs: Any) -> bool:
        """Let folders of packs pass that this server does not list; the engine refuses what it does not have."""
        return True

    @classmethod
    def fingerprint_inputs(cls, folder: str, name: str | None = None, **_kwargs: Any) -> Any:
        """Run again when the file came, went or changed."""
        return comfyui.file_mark(folder, name)

    @classmethod
    async def execute(cls, source: str, folder: str, name: str = "", sha256: str = "") -> Any:
        """Return the name."""
        from .fetch import Wanted, ensure  # late: this module is imported while ComfyUI starts

        wanted = Wanted(
            folder_name=folder or None,
            name=name.strip() or None,
            source=source.strip() or None,
            sha256=sha256.strip() or None,
        )
        return io.NodeOutput(await ensure(wanted, cls.hidden.unique_id))
