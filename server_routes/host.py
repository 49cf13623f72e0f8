"""ComfyUI's own modules: `server`, `folder_paths`, `nodes`, `comfy.*`; for the nodes `nodes/comfyui.py` knows them.

They are taken from `sys.modules`: inside ComfyUI they are all loaded before the first pack, and outside there is
nothing to find. Facts of ComfyUI 0.3.75 unless said otherwise.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..core.config import session_environment
from ..core.records.model import Folder, FolderLayout, canonical_folder
from ..core.records.session import HostState, LoadedModel, Session
from .prompts import PromptTally
from .used_models import UsedModels

_log = logging.getLogger("comfystow.host")

_STATE_NAME = "comfystow"


class ComfyHost:
    """ComfyUI as the rest of the extension sees it."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._folder_paths: Any = sys.modules["folder_paths"]
        self._last_prompt_finished_at: float | None = None
        self._prompts = PromptTally()
        self._used = UsedModels()
        self._was_running = False
        self.nodes_waiting = 0
        """Nodes of ours that wait for a download; changed on the server's loop only."""

    @property
    def state_dir(self) -> Path:
        """The folder for our state: `user/__comfystow`, which `/userdata` never serves (since 0.3.75)."""
        ask = getattr(self._folder_paths, "get_system_user_directory", None)
        return Path(ask(_STATE_NAME)) if ask else Path(self._folder_paths.get_user_directory(), f"__{_STATE_NAME}")

    # The session

    def session(self) -> Session:
        """Describe this ComfyUI; reads definitions of nodes, so call it in a thread."""
        return Session(
            server_id=self._server_id(),
            url=self._url(),
            layout=self.layout(),
            node_inputs=node_inputs(_node_classes(), self._listings()),
            environment=session_environment(os.environ),
        )

    def _server_id(self) -> str:
        """The same after a restart: downloads that began before find their session's tokens again."""
        key = f"{self._folder_paths.base_path}\0{self._url()}"
        return f"comfyui-{hashlib.sha256(key.encode()).hexdigest()[:12]}"

    def _url(self) -> str | None:
        port = getattr(self._server, "port", None)
        if port is None:  # before the server listens; the arguments say where it will
            port = getattr(getattr(sys.modules.get("comfy.cli_args"), "args", None), "port", None)
        return f"http://127.0.0.1:{port}" if port is not None else None

    def layout(self) -> FolderLayout:
        """Return all folders as `folder_paths` knows them now."""
        folders = {}
        for name, entry in list(self._folder_paths.folder_names_and_paths.items()):
            folders[str(name)] = Folder(
                directories=tuple(Path(path).absolute() for path in entry[0]),
                suffixes=frozenset(suffix for suffix in entry[1] if str(suffix).startswith(".")),
            )
        return FolderLayout(folders=folders, base_path=Path(self._folder_paths.base_path))

    def _listings(self) -> dict[str, frozenset[str]]:
        """Return the files of each folder as combos list them."""
        found = {}
        for name in list(self._folder_paths.folder_names_and_paths):
            try:
                found[str(name)] = frozenset(self._folder_paths.get_filename_list(name))
            except OSError as err:
                _log.info("folder %s cannot be listed: %s", name, err)
        return found

    # What it does

    def viewers(self) -> int:
        """Return how many browsers are connected."""
        return len(self._server.sockets)

    def send(self, event: str, data: object) -> None:
        """Send an event to every browser; safe from any thread."""
        self._server.send_sync(event, data)

    def state(self) -> HostState:
        """Return what ComfyUI does now, from counters that it keeps anyway."""
        queue = self._server.prompt_queue
        running = len(queue.currently_running)
        if self._was_running and not running:
            self._last_prompt_finished_at = time.time()
        self._was_running = running > 0
        allocated, reserved = _torch_memory()
        prompts = self._prompts.look(queue.history)
        return HostState(
            queue_pending=len(queue.queue),
            queue_running=running,
            running_node=self._server.last_node_id if running else None,
            waiting_for_models=self.nodes_waiting > 0,
            last_prompt_finished_at=self._last_prompt_finished_at,
            torch_allocated_bytes=allocated,
            torch_reserved_bytes=reserved,
            loaded_models=tuple(_loaded_models()),
            prompts=prompts,
            models_used=self._used.look(queue.currently_running, self._prompts.ended),
        )

    def files_changed(self, folder_name: str) -> None:
        """Drop ComfyUI's listing of a folder: on network volumes a directory's time may not show a new file."""
        self._folder_paths.filename_list_cache.pop(canonical_folder(folder_name), None)
        forget = getattr(self._folder_paths, "invalidate_filename_list_cache", None)  # newer than 0.3.75
        if forget is not None:
            forget()

    def free_memory(self) -> None:
        """Let ComfyUI unload its models, between two prompts, by its own flags (`POST /free` sets the same)."""
        self._server.prompt_queue.set_flag("unload_models", True)
        self._server.prompt_queue.set_flag("free_memory", True)


def _node_classes() -> Mapping[str, Any]:
    found = getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {})
    return dict(found)


def node_inputs(classes: Mapping[str, Any], listings: Mapping[str, frozenset[str]]) -> dict[str, dict[str, str]]:
    """Learn which inputs name models: those whose choices are exactly the files of one folder.

    An empty folder teaches nothing, as all empty lists are equal; the table shipped in `core/workflow` knows the stock
    loaders. A node of ours or of others whose definition raises is left out.
    """
    by_files: dict[frozenset[str], list[str]] = {}
    for folder, files in listings.items():
        if files and folder != "custom_nodes":
            by_files.setdefault(files, []).append(folder)
    learnt: dict[str, dict[str, str]] = {}
    for node_type, node_class in classes.items():
        inputs = {
            name: folders[0]
            for name, choices in _combos(node_class)
            if (folders := by_files.get(frozenset(choices))) is not None and len(folders) == 1
        }
        if inputs:
            learnt[node_type] = inputs
    return learnt


def _combos(node_class: Any) -> Iterable[tuple[str, list[str]]]:
    try:
        definition = node_class.INPUT_TYPES()
        sections = [definition.get(section, {}) for section in ("required", "optional")]
        for section in sections:
            for name, specification in section.items():
                choices = _choices(specification)
                if choices and all(isinstance(choice, str) for choice in choices):
                    yield name, choices
    except Exception as err:  # noqa: BLE001 - other packs' code, run as ComfyUI runs it for /object_info
        _log.debug("inputs of %s cannot be read: %s", node_class, err)


def _choices(specification: Any) -> list[str]:
    """Return the choices of an input: V1 gives a list as the type, V3 gives `COMBO` and `options`."""
    if not isinstance(specification, tuple | list) or not specification:
        return []
    if isinstance(specification[0], list):
        return specification[0]
    if specification[0] == "COMBO" and len(specification) > 1 and isinstance(specification[1], dict):
        options = specification[1].get("options")
        return options if isinstance(options, list) else []
    return []


def _torch_memory() -> tuple[int | None, int | None]:
    """Return torch's allocated and reserved bytes where a GPU is in use already; never starts CUDA by itself."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return None, None
    return int(cuda.memory_allocated()), int(cuda.memory_reserved())


def _loaded_models() -> Iterable[LoadedModel]:
    management = sys.modules.get("comfy.model_management")
    for loaded in list(getattr(management, "current_loaded_models", ())):
        model = getattr(loaded, "model", None)  # a weak reference's target; None once it is collected
        inner = getattr(model, "model", None)
        if inner is None:
            continue
        yield LoadedModel(
            name=type(inner).__name__,
            vram_bytes=_ask(loaded, "model_loaded_memory"),
            ram_bytes=_ask(loaded, "model_offloaded_memory"),
        )


def _ask(loaded: Any, method: str) -> int | None:
    try:
        return int(getattr(loaded, method)())
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return None
