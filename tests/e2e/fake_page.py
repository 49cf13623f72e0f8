"""The panel on a stand-in for ComfyUI's page and routes (tests/web/fake): quick, and every state can be had."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.setup.workshop import CHECKOUT

PROGRAM = CHECKOUT / "tests" / "web" / "fake" / "server.mjs"


class FakeComfy:
    """The stand-in: what its routes answer is set from here."""

    def __init__(self, url: str) -> None:
        self.url = url

    def set(self, **state: object) -> None:
        """Change what the routes answer."""
        self._send("PUT", "/fake", state)

    def event(self, kind: str, data: object) -> None:
        """Send a websocket event to every page."""
        self._send("POST", "/fake/event", {"type": kind, "data": data})

    def asked(self, path: str) -> list[dict[str, Any]]:
        """Give the bodies that a route was asked with."""
        return [request["body"] for request in self.requests() if request["path"] == path]

    def requests(self) -> list[dict[str, Any]]:
        """Give all that was asked: method, path, query, body."""
        with urllib.request.urlopen(f"{self.url}/fake", timeout=10) as reply:
            return list(json.load(reply)["asked"])

    def _send(self, method: str, path: str, body: object) -> None:
        request = urllib.request.Request(
            self.url + path, data=json.dumps(body).encode(), method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10):
            pass


@contextmanager
def fake_comfy() -> Iterator[FakeComfy]:
    """Start the stand-in."""
    process = subprocess.Popen(
        ["node", str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield FakeComfy(process.stdout.readline().strip())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def candidate(source: str, confidence: str = "high", size_bytes: int | None = None) -> dict[str, Any]:
    """Make a place that a model may come from."""
    return {
        "source": source,
        "url": None,
        "folder": None,
        "name": None,
        "size_bytes": size_bytes,
        "sha256": None,
        "confidence": confidence,
        "reason": "embedded in the workflow",
    }


def model(name: str, folder: str, *candidates: dict[str, Any], node: str = "1", **more: object) -> dict[str, Any]:
    """Make a model of the `missing` shape."""
    use = {"node_id": node, "node_type": "VAELoader", "widget_name": None, "title": None, "mode": "active"}
    known = {"nodes": [node], "state": "missing", "path": None, "active": True, "near_name": None, "near_reason": None}
    return {"name": name, "folder": folder, "uses": [use], "candidates": list(candidates), **known, **more}


def download(identity: str, name: str, folder: str, state: str, **more: object) -> dict[str, Any]:
    """Make a Download as the routes give it."""
    source, now = f"hf://Comfy-Org/demo/{name}", time.time()
    unknown = ("rate_bytes_per_second", "eta_seconds", "connections", "waiting_for", "note", "error", "verified")
    return {
        "id": identity,
        "request": {"source": source, "filename": name, "folder_name": folder},
        "state": state,
        "source": source,
        "filename": name,
        "folder_name": folder,
        "bytes_done": 0,
        "bytes_total": 164_000_000,
        **dict.fromkeys(unknown),
        "linked": False,
        "warnings": [],
        "position": 1.0,
        "created_at": now - 100,
        "started_at": now - 90,
        "finished_at": None,
        **more,
    }


def plan_of(models: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the plan of what is certain: one fetched, one linked, one that asks for a login, one licence."""
    sure = [row for row in models if row["state"] == "missing" and row["active"] and row["candidates"]]
    sure = [row for row in sure if row["candidates"][0]["confidence"] in {"exact", "high"}]
    token = {"code": "token_required", "message": "`gated` asks for a login", "hint": "set a token", "retryable": False}
    licence = {"code": "licence_required", "message": "its licence was not accepted", "hint": None, "retryable": False}
    ways: list[dict[str, Any]] = [
        {"action": "fetch", "reason": "it is not there", "size_bytes": 17_246_524_772, "fetch_bytes": 17_246_524_772},
        {
            "action": "refuse",
            "reason": token["message"],
            "error": token,
            "base_model": "Flux",
            "precision": "fp8_e4m3fn",
        },
        {"action": "refuse", "reason": licence["message"], "error": licence},
        {"action": "link", "reason": "the same file is in the library as `x.safetensors`", "size_bytes": 335_304_388},
    ]
    items = [
        {
            "request": {
                "source": row["candidates"][0]["source"],
                "filename": row["name"],
                "folder_name": row["folder"],
            },
            "filename": row["name"],
            "folder_name": row["folder"],
            "size_bytes": None,
            "base_model": None,
            "precision": None,
            "fetch_bytes": 0,
            "error": None,
            **ways[min(place, len(ways) - 1)],
        }
        for place, row in enumerate(sure)
    ]
    volume = {"folders": ["checkpoints"], "free_bytes": 212_000_000_000, "needed_bytes": 17_246_524_772,
              "free_after_bytes": 195_000_000_000, "fits": True}  # fmt: skip
    return {"items": items, "volumes": [volume], "fetch_bytes": 17_246_524_772, "fits": True}


def fit_of(verdict: str) -> dict[str, Any]:
    """Make what is said of the GPU."""
    large = {"name": "flux1-dev-fp8.safetensors", "folder": "checkpoints", "vram_bytes": 17_300_000_000}
    known: dict[str, Any] = {"needed_bytes": 17_300_000_000, "gpu": "RTX 4090", "gpu_bytes": 24_000_000_000,
                             "loads": [large], "smaller": []}  # fmt: skip
    if verdict == "fits":
        return {"verdict": verdict, "sentence": "fits: needs 17.3 GB of 24.0 GB of VRAM", **known}
    said = "too large for 12.0 GB of VRAM: flux1-dev-fp8.safetensors alone takes 17.3 GB; ComfyUI would work from RAM, slowly"
    smaller = [
        {"instead_of": large["name"], "name": "flux1-dev-nf4.safetensors", "size_bytes": 6_800_000_000,
         "source": "hf://Comfy-Org/flux1-dev/flux1-dev-nf4.safetensors", "known_from": "", "needs_other_loader": False},
        {"instead_of": large["name"], "name": "flux1-dev-Q4_K_S.gguf", "size_bytes": 6_810_000_000,
         "source": "hf://city96/FLUX.1-dev-gguf/flux1-dev-Q4_K_S.gguf", "known_from": "", "needs_other_loader": True},
    ]  # fmt: skip
    return {"verdict": verdict, "sentence": said, **known, "smaller": smaller}


def every_state() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give models and downloads in every state that the panel tells apart."""
    now = time.time()
    full = {"code": "not_enough_space", "message": "the disk is full", "retryable": False}
    hint = "1.2 GB more is needed on the disk of the models; the part is kept"
    gated = "gated-thing-with-quite-a-long-name-v3-fp8.safetensors"
    models = [
        model("flux1-dev-fp8.safetensors", "checkpoints", candidate("hf://Comfy-Org/flux1-dev/x", size_bytes=17 << 30)),
        model("ae.safetensors", "vae", state="near", near_name="flux/ae.sft", near_reason="the same bytes"),
        model("portrait-detail-v2.safetensors", "loras", candidate("civitai://618692@691639"), node="5:7"),
        model(gated, "loras", candidate("hf://BFL/gated/gated.safetensors")),
        model("wan2.2_t2v_14B_fp8.safetensors", "diffusion_models", candidate("hf://Comfy-Org/Wan/x")),
        model("style-unknown.safetensors", "loras", candidate("https://huggingface.co/a/b/resolve/main/s", "likely")),
        model("nobody-knows.safetensors", "controlnet"),
        model("t5xxl_fp16.safetensors", "text_encoders", state="present"),
        model("off.safetensors", "loras", candidate("hf://a/b/off.safetensors"), active=False),
    ]
    downloads = [
        download("1", "wan2.2_t2v_14B_fp8.safetensors", "diffusion_models", "running", bytes_done=51_000_000,
                 rate_bytes_per_second=27e6, eta_seconds=360.0, note="the server slowed us down, 4 connections"),
        download("2", "t5xxl_fp8.safetensors", "text_encoders", "queued"),
        download("3", "paused-one.safetensors", "loras", "paused", bytes_done=100_000_000),
        download("4", "sdxl-lightning.safetensors", "checkpoints", "failed", bytes_done=1e8, error={**full, "hint": hint}),
        download("5", gated, "loras", "waiting", waiting_for="token"),
        download("6", "licensed.safetensors", "loras", "waiting", waiting_for="licence"),
        download("7", "linked.safetensors", "vae", "completed", linked=True, verified="digest", finished_at=now),
        download("8", "fetched.safetensors", "loras", "completed", verified="header", finished_at=now),
        download("9", "changed-my-mind.safetensors", "loras", "cancelled", finished_at=now),
    ]  # fmt: skip
    return models, downloads
