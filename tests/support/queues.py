"""A queue on a local hub: folders, settings with short clocks, and a runtime that is closed with the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from comfystow.core.config import Settings, load_settings
from comfystow.core.records.download import Download, DownloadRequest, DownloadState
from comfystow.core.records.model import Folder, FolderLayout
from comfystow.core.records.session import Session
from comfystow.core.runtime import Runtime, open_runtime
from hub.server import Hub

from .comfyui import hub_environment

TAESD = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"
TAESD_BYTES = 4_903_146
GATED = "hf://Comfy-Stow/gated-demo/stow_gated.safetensors"
LORA = "hf://Comfy-Stow/lora-demo/stow_style.safetensors"

_MODELS = frozenset({".safetensors", ".sft", ".gguf", ".ckpt"})
_QUICK: dict[str, Any] = {
    "free_space_floor_bytes": 0,
    "progress_seconds": 0.05,
    "waiting_check_seconds": 0.05,
    "licence_check_seconds": 0.2,
    "retry_base_seconds": 0.02,
    "retry_max_seconds": 0.2,
    "journal_seconds": 0.2,
    "stall_timeout_seconds": 5.0,
}


class Stage:
    """The folders of one test, and queues over them."""

    def __init__(self, hub: Hub, path: Path) -> None:
        self.hub = hub
        self.state_dir = path / "state"
        self.models = path / "models"
        for name in ("vae", "loras", "text_encoders", "unlisted"):
            (self.models / name).mkdir(parents=True)

    @property
    def layout(self) -> FolderLayout:
        """Give the folders; `unlisted` has no suffixes, so ComfyUI would list every file in it."""
        folders = {
            name: Folder(directories=(self.models / name,), suffixes=_MODELS)
            for name in ("vae", "loras", "text_encoders")
        }
        folders["unlisted"] = Folder(directories=(self.models / "unlisted",))
        return FolderLayout(folders=folders, base_path=self.models.parent)

    def settings(self, **numbers: Any) -> Settings:
        """Give settings with short clocks that reach the hub."""
        return load_settings(hub_environment(self.hub), **{**_QUICK, **numbers})

    def session(self, **environment: str) -> Session:
        """Give a ComfyUI with these folders."""
        return Session(server_id="comfyui-test", layout=self.layout, environment=environment)

    @contextlib.asynccontextmanager
    async def runtime(self, *, session: Session | None = None, **numbers: Any) -> AsyncIterator[Runtime]:
        """Open a runtime with a session attached."""
        opened = await open_runtime(self.state_dir, self.settings(**numbers))
        try:
            opened.sessions.attach(session or self.session())
            yield opened
        finally:
            await opened.close()

    def files(self) -> list[str]:
        """List what lies under the models folder."""
        return sorted(str(path.relative_to(self.models)) for path in self.models.rglob("*") if path.is_file())


def request(source: str = TAESD, folder_name: str | None = "vae", **values: Any) -> DownloadRequest:
    """Make a request."""
    return DownloadRequest(source=source, folder_name=folder_name, **values)


async def reached(
    runtime: Runtime, download_id: str, condition: DownloadState | Callable[[Download], Any], seconds: float = 30
) -> Download:
    """Wait until a download is in a state, or looks as wanted."""
    async with asyncio.timeout(seconds):
        while True:
            download = runtime.downloads.get(download_id)
            assert download is not None
            if download.state is condition or (callable(condition) and condition(download)):
                return download
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def listening(runtime: Runtime) -> AsyncIterator[list[dict[str, Any]]]:
    """Collect the data of events while the context lasts."""
    heard: list[dict[str, Any]] = []

    async def listen() -> None:
        with runtime.events.subscribe() as subscription:
            while True:
                heard.append(json.loads(json.dumps((await subscription.get()).data)))

    task = asyncio.create_task(listen())
    await asyncio.sleep(0)
    try:
        yield heard
    finally:
        await asyncio.sleep(0.4)  # longer than any interval between events
        task.cancel()
