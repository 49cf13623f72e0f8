"""What the nodes need of the ComfyUI they run in: its lists, its loaders, its progress, its interrupt.

ComfyUI's modules are taken from `sys.modules`, as in `server_routes/host.py`: all are loaded before the first pack, and
names like `nodes` mean something else outside of it. Facts of ComfyUI 0.3.75.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.paths import NON_MODEL_FOLDERS
from ..server_routes.mount import prompt_server


def is_serving() -> bool:
    """Tell whether the server is past importing packs."""
    server = prompt_server()
    return server is not None and bool(server.app.frozen)


def folder_names() -> list[str]:
    """Return the folders that hold models."""
    return sorted(set(_module("folder_paths").folder_names_and_paths) - NON_MODEL_FOLDERS)


def filename_list(folder_name: str) -> list[str]:
    """Return the names that loaders list for a folder; nothing for a folder that is not there."""
    try:
        return list(_module("folder_paths").get_filename_list(folder_name))
    except KeyError:
        return []


def full_path(folder_name: str, name: str | None) -> str | None:
    """Return the file that a loader would open, None for none; a linked input has no name yet."""
    if not name:
        return None
    try:
        path: str | None = _module("folder_paths").get_full_path(folder_name, name)
    except KeyError:
        return None
    return path


def listed_name(folder_name: str, name: str) -> str | None:
    """Return a name in this system's spelling when a loader finds it."""
    local = name.replace("/", os.sep)
    return local if full_path(folder_name, local) is not None else None


def file_mark(folder_name: str, name: str | None) -> tuple[int, int] | None:
    """Return what changes when a file changes: time and size; None while it is not there."""
    path = full_path(folder_name, name)
    try:
        stat = Path(path).stat() if path is not None else None
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size) if stat is not None else None


def stock_choices(node_type: str, input_name: str) -> list[str]:
    """Return what a list of a stock node offers, in both forms of its definition."""
    groups = _module("nodes").NODE_CLASS_MAPPINGS[node_type].INPUT_TYPES()
    for group in ("required", "optional"):
        kind, *options = groups.get(group, {}).get(input_name, (None,))
        if kind is not None:
            return list(kind) if isinstance(kind, list | tuple) else list(options[0].get("options", ()))
    return []


async def run_stock(node_type: str, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Run a stock node and return its outputs, whichever form of node it is."""
    node = _module("nodes").NODE_CLASS_MAPPINGS[node_type]
    outputs = getattr(node(), node.FUNCTION)(**inputs)
    if inspect.isawaitable(outputs):
        outputs = await outputs
    return tuple(getattr(outputs, "result", outputs))


def raise_if_interrupted() -> None:
    """Raise ComfyUI's own interrupt when the user asked for it."""
    _module("comfy.model_management").throw_exception_if_processing_interrupted()


def show_progress(node_id: str | None, bytes_done: int, bytes_total: int | None, text: str) -> None:
    """Show how far a node is: a bar where the total is known, and a line under it."""
    if node_id is None:
        return
    if bytes_total:
        _module("comfy.utils").ProgressBar(bytes_total, node_id=node_id).update_absolute(bytes_done)
    show_text(node_id, text)


def show_text(node_id: str | None, text: str) -> None:
    """Show a line under a node."""
    if node_id is not None:
        prompt_server().send_progress_text(text, node_id)


def on_prompt(handler: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let a handler see each body of `POST /prompt` before ComfyUI checks it; it runs on the server's loop."""
    server = prompt_server()
    if server is not None and handler not in server.on_prompt_handlers:
        server.add_on_prompt_handler(handler)


def _module(name: str) -> Any:
    return sys.modules[name]
