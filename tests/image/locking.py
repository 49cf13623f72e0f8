"""Locks of models on the hub, written by our own command."""

from __future__ import annotations

from pathlib import Path

from hub.server import Hub
from support.comfyui import hub_environment
from support.engines import comfystow


def write_lock(lock: Path, hub: Hub, wanted: dict[str, str], folder: Path, *, token: str | None = None) -> None:
    """Lock references, each with its folder, into the file `lock`; `folder` is for what that takes."""
    models = folder / "models"
    models.mkdir(parents=True)
    manifest = folder / "models.yaml"
    rows = "".join(f"  - source: {reference}\n    folder: {name}\n" for reference, name in wanted.items())
    manifest.write_text(f"version: 1\nmodels:\n{rows}")
    where = ["--models-dir", models, "--state-dir", folder / "state"]
    env = {**hub_environment(hub), **({"HF_TOKEN": token} if token is not None else {})}
    done = comfystow("lock", manifest, "--output", lock, *where, env=env)
    comfystow("engine", "stop", *where)
    assert done.returncode == 0, done.stdout + done.stderr
