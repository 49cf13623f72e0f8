"""What a loader's list offers: the files that are there, and after them the models that the catalogue knows.

ComfyUI asks for every schema once while it imports packs; walking the model folders then would count as our import
time, so the lists are empty until the server serves. It asks again for each `/object_info`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from . import comfyui

# Read as plain JSON: this runs on the server's loop, and the catalogue proper takes 60 ms to build.
_KNOWN_MODELS = Path(__file__).parent.parent / "core" / "sources" / "data" / "models.json"


def model_choices(folder_name: str) -> list[str]:
    """Return the names of a folder's files, then those that would be fetched."""
    if not comfyui.is_serving():
        return []
    there = comfyui.filename_list(folder_name)
    present = set(there)
    return [*there, *(name for name in _known_names().get(folder_name, ()) if name not in present)]


def stock_choices(node_type: str, input_name: str) -> list[str]:
    """Return what a stock loader's list offers."""
    return comfyui.stock_choices(node_type, input_name) if comfyui.is_serving() else []


def folder_choices() -> list[str]:
    """Return the folders that hold models."""
    return comfyui.folder_names()


@cache
def _known_names() -> dict[str, tuple[str, ...]]:
    known = json.loads(_KNOWN_MODELS.read_text(encoding="utf-8"))
    name, folder = (known["columns"].index(column) for column in ("name", "directory"))
    names: dict[str, set[str]] = {}
    for row in known["models"]:
        names.setdefault(row[folder], set()).add(row[name])
    return {key: tuple(sorted(values)) for key, values in names.items()}
