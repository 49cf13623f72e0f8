"""Model Info: what a model's header says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from comfy_api.latest import io

from . import comfyui
from .choices import folder_choices

#: What authors write into safetensors metadata (Stability AI's modelspec, kohya-ss' training scripts).
_METADATA = ("modelspec.title", "modelspec.architecture", "modelspec.trigger_phrase", "ss_base_model_version",
             "general.architecture", "general.name")  # fmt: skip
_MAX_TEXT_CHARS = 200


class ModelInfo(io.ComfyNode):  # type: ignore[misc]
    """Reads the header of a file: kind, base model, precision, parameters, size, what its author wrote into it."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowModelInfo",
            display_name="Model Info",
            category="ComfyStow",
            description="Tells kind, base model, precision, parameters and size of a model from its header alone.",
            inputs=[
                io.Combo.Input("folder", options=folder_choices()),
                io.String.Input("name", default="", tooltip="A file of the folder, as its loader lists it."),
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
    def fingerprint_inputs(cls, folder: str, name: str | None) -> Any:
        """Run again when the file came, went or changed."""
        return comfyui.file_mark(folder, name)

    @classmethod
    async def execute(cls, folder: str, name: str) -> Any:
        """Read the header and show it."""
        path = comfyui.full_path(folder, name.strip())
        if path is None:
            from ..core.errors import NotFoundHereError  # late: this module is imported while ComfyUI starts

            raise NotFoundHereError(f"`{name}` is not in `{folder}`\nEnsure Model can fetch it first.")
        facts = {"name": name.strip(), "folder": folder, **await asyncio.to_thread(read_facts, Path(path))}
        text = facts_text(facts)
        comfyui.show_text(cls.hidden.unique_id, text)
        return io.NodeOutput(text, json.dumps(facts, ensure_ascii=False), ui={"text": [text]})


def read_facts(path: Path) -> dict[str, Any]:
    """Read a header; unknown is None. Raises: HeaderError: the file is damaged, or of a format without a header."""
    from ..core.headers.classify import classify
    from ..core.headers.gguf import parse_gguf
    from ..core.headers.safetensors import parse_safetensors

    size_bytes = path.stat().st_size
    with path.open("rb") as file:

        def read(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(size)

        parse = parse_gguf if read(0, 4) == b"GGUF" else parse_safetensors
        header = parse(read, size_bytes)
    found = classify(header)
    return {
        "kind": found.kind,
        "base_model": found.base_model,
        "base_model_version": found.base_model_version,
        "belongs_in": found.folder,
        "format": header.format,
        "precision": found.precision,
        "parameters": found.parameters,
        "tensors": len(header.tensors),
        "size_bytes": size_bytes,
        "vram_bytes": found.vram_bytes,
        "whole": header.fits(size_bytes),
        "trigger_words": list(found.trigger_words),
        "metadata": {key: str(header.metadata[key])[:_MAX_TEXT_CHARS] for key in _METADATA if key in header.metadata},
    }


def facts_text(facts: dict[str, Any]) -> str:
    """Write the facts for people, one a line."""
    from ..core.units import format_bytes

    kind = (facts["kind"] or "unknown kind").replace("_", " ")
    base = " ".join(filter(None, (facts["base_model"], facts["base_model_version"])))
    lines = [
        facts["name"],
        f"{kind}, {base or 'base model unknown'}",
        f"{facts['format']}, {facts['precision'] or 'no tensors'}, {_count(facts['parameters'])} parameters",
        format_bytes(facts["size_bytes"])
        + ("" if facts["whole"] is not False else ": its length does not fit its header"),
        *([f"trigger words: {', '.join(facts['trigger_words'])}"] if facts["trigger_words"] else []),
        *(f"{key.rpartition('.')[2]}: {value}" for key, value in facts["metadata"].items()),
    ]
    return "\n".join(lines)


def _count(number: int) -> str:
    for factor, unit in ((10**9, "billion"), (10**6, "million")):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return str(number)
