"""Prompts for a real ComfyUI, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from support.comfyui import ComfyServer

TAESD = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"


def outcome(entry: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Return how a prompt ended, and what its error says."""
    messages = dict(entry["status"]["messages"])
    error = messages.get("execution_error", {})
    return entry["status"]["status_str"], error.get("exception_message", ""), error.get("node_id")


def assert_image(server: ComfyServer, entry: Mapping[str, Any]) -> None:
    """Fail unless node 4 saved a picture."""
    assert outcome(entry)[0] == "success", outcome(entry)
    (image,) = entry["outputs"]["4"]["images"]
    data = server.request("GET", f"/view?filename={image['filename']}&type=output").body
    assert data.startswith(b"\x89PNG")


def preview(kind: str, inputs: Mapping[str, object], *, slot: int = 0) -> dict[str, Any]:
    """Give a prompt that runs a loader and shows one of its outputs as text."""
    return {
        "2": {"class_type": kind, "inputs": inputs},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", slot]}},
    }


def run(server: ComfyServer, prompt: Mapping[str, object], **more: object) -> dict[str, Any]:
    """Run a prompt with more in its request than `run_prompt` gives, and return its entry of the history."""
    reply = server.request("POST", "/prompt", {"prompt": prompt, **more})
    assert reply.status == 200, reply.body
    prompt_id = reply.json()["prompt_id"]
    wait_for(lambda: prompt_id in server.request("GET", f"/history/{prompt_id}").json())
    entry: dict[str, Any] = server.request("GET", f"/history/{prompt_id}").json()[prompt_id]
    return entry


def downloads(server: ComfyServer) -> list[dict[str, Any]]:
    """List the queue."""
    rows: list[dict[str, Any]] = server.stow("GET", "/downloads").json()["downloads"]
    return rows


def one(server: ComfyServer, filename: str) -> dict[str, Any]:
    """Return the download of a file."""
    return next(item for item in downloads(server) if item["filename"] == filename)


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until it comes about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
