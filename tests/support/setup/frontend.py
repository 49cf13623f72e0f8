"""ComfyUI's web pages: each version in a folder of its own, given to the server by `--front-end-root`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from . import pins
from .cache import Cache
from .say import SetupError, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """One version of the pages; `name` is `1.32.9` or `newest`."""

    name: str
    version: str
    root: Path


def frontend(cache: Cache, name: str = pins.DEFAULT_FRONTEND) -> Frontend:
    """Install a version (a number, or `newest`)."""
    requirement = pins.FRONTENDS.get(name, f"comfyui-frontend-package=={name}")

    def build(path: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        run([*pip, "install", "--no-deps", "--target", path, requirement], log=cache.log("frontend"))

    path = cache.entry("frontend", [requirement], f"installing {requirement}", build)
    root = path / "comfyui_frontend_package" / "static"
    if not (root / "index.html").is_file():
        raise SetupError(f"{requirement} holds no pages in {root}")
    return Frontend(name=name, version=requirement.partition("==")[2], root=root)
