"""Model Info: what a model's header says."""

from __future__ import annotations

import json
from typing import Any

from comfy_api.latest import io

from ..core.units import format_bytes
from . import comfyui, engine
from .choices import folder_choices


class ModelInfo(io.ComfyNode):  # type: ignore[misc]
    """Reads the header of a file or of a reference: kind, base model, precision, size."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowModelInfo",
            display_name="Model Info",
            category="ComfyStow",
            description="Tells kind, base model, precision and size of a model, from its header alone.",
            inputs=[
                io.Combo.Input("folder", options=folder_choices()),
                io.String.Input("name", default="", tooltip="A file of the folder, or a link to a model."),
            ],
            outputs=[io.String.Output("text", display_name="text"), io.String.Output("json", display_name="json")],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, **_kwargs: Any) -> bool:
        """Let folders of packs pass that this server does not list."""
        return True

    @classmethod
    async def execute(cls, folder: str, name: str) -> Any:
        """Ask the engine; this process reads no model file for it."""
        path = comfyui.full_path(folder, name.strip())
        facts = await engine.call("POST", "/inspect", {"references": [path or name.strip()]})
        info = facts[0] if isinstance(facts, list) else facts
        comfyui.show_text(cls.hidden.unique_id, text := _text(info))
        return io.NodeOutput(text, json.dumps(info, ensure_ascii=False), ui={"text": [text]})


def _text(info: dict[str, Any]) -> str:
    lines = [
        ("kind", info.get("kind")),
        ("base model", info.get("base_model")),
        ("precision", info.get("precision")),
        ("folder", info.get("folder")),
        ("size", format_bytes(info.get("size_bytes"))),
        ("in VRAM", format_bytes(info.get("vram_bytes"))),
    ]
    return "\n".join(f"{label}: {value}" for label, value in lines if value is not None)
