"""Virtual environments: ComfyUI's own, and one over it with what the project and its tests need.

comfyui-venv-KEY/   ComfyUI's requirements and torch for the CPU, nothing of ours: what a plain `git clone` meets
NAME-venv-KEY/      the project's requirements; a .pth file adds the packages of the first one and the checkout
link-KEY/comfystow  -> the checkout, so that `import comfystow` finds it without a file inside it
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from . import pins
from .cache import Cache
from .comfyui_tree import reachable
from .say import SetupError, run, say
from .stand_ins import SITECUSTOMIZE

#: Installed apart (torch), or answered for by stand-ins.
_LEFT_OUT = re.compile(r"^(torch|torchvision|torchaudio)\b(?!-)", re.IGNORECASE)
#: horde's copy leans on `requests` without saying so.
_UNDECLARED = ["requests"]


def python_of(venv: Path) -> Path:
    """Give the interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def comfyui_environment(cache: Cache, comfyui: Path) -> Path:
    """Make the environment that ComfyUI itself runs in."""
    lines = _requirement_lines(comfyui / "requirements.txt")
    wanted = [line for line in lines if not _LEFT_OUT.match(line)] + _UNDECLARED
    made_from = [f"{_interpreter()} {sys.version}", pins.TORCH, SITECUSTOMIZE, *wanted]

    def build(path: Path) -> None:
        log = cache.log("comfyui-venv")
        python = _new_venv(path, log)
        _install_torch(python, log)
        # Named again, so that nothing below replaces it.
        run([*_pip(python), "install", pins.TORCH, *wanted], log=log)
        run([*_pip(python), "uninstall", "--yes", "torchvision", "torchaudio"], log=log)
        (_site_packages(python) / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")

    return cache.entry("comfyui-venv", made_from, "installing ComfyUI's requirements and torch", build)


def _install_torch(python: Path, log: Path) -> None:
    """Install torch for the CPU; the general index holds, on Linux, one with 3 GB of CUDA."""
    if reachable(pins.TORCH_CPU_INDEX):
        try:
            run([*_pip(python), "install", "--index-url", pins.TORCH_CPU_INDEX, pins.TORCH], log=log)
        except SetupError as err:
            say(f"no torch from {pins.TORCH_CPU_INDEX}: {str(err).splitlines()[0]}")
        else:
            return
    run([*_pip(python), "install", pins.TORCH], log=log)


def overlay(cache: Cache, name: str, base: Path, checkout: Path, requirements: Sequence[str]) -> Path:
    """Make an environment of `requirements` over the environment `base`, in which `comfystow` is the checkout."""
    link = import_folder(cache, checkout)
    made_from = [f"{_interpreter()} {sys.version}", str(base), str(link), *requirements]

    def build(path: Path) -> None:
        log = cache.log(f"{name}-venv")
        python = stack_venv(path, base, log, [link])
        run([*_pip(python), "install", *requirements], log=log)

    return cache.entry(f"{name}-venv", made_from, f"installing the requirements of the {name}", build)


def stack_venv(path: Path, base: Path, log: Path, more: Sequence[Path] = ()) -> Path:
    """Make a virtual environment that sees the packages of `base` under its own; give its interpreter."""
    python = _new_venv(path, log)
    folders = [_site_packages(python_of(base)), *more]
    lines = "".join(f"{folder}\n" for folder in folders)
    (_site_packages(python) / "comfystow.pth").write_text(lines, encoding="utf-8")
    return python


def project_requirements(checkout: Path, extras: Sequence[str]) -> list[str]:
    """List what pyproject.toml demands, with the extras."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    return sorted({*project["dependencies"], *(line for extra in extras for line in optional[extra])})


def link_folder(target: Path, link: Path) -> None:
    """Make `link` lead to the folder `target`; on Windows, where links need a right, by a junction."""
    try:
        link.symlink_to(target, target_is_directory=True)
    except OSError:
        if os.name != "nt":
            raise
        import _winapi

        _winapi.CreateJunction(str(target), str(link))  # type: ignore[attr-defined]


def import_folder(cache: Cache, checkout: Path) -> Path:
    """Make a folder from which `import comfystow` finds the checkout."""
    return cache.entry(
        "link", [str(checkout)], f"linking {checkout}", lambda path: link_folder(checkout, path / "comfystow")
    )


def _interpreter() -> Path:
    """Give the interpreter under any virtual environment: the same, whoever runs the set-up."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _new_venv(path: Path, log: Path) -> Path:
    try:
        run([_interpreter(), "-m", "venv", path], log=log)
    except SetupError as err:
        raise SetupError(
            f"{err}\nno virtual environment could be made; on Debian: apt-get install python3-venv"
        ) from err
    return python_of(path)


def _pip(python: Path) -> list[str]:
    return [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]


def _site_packages(python: Path) -> Path:
    venv = python.parent.parent
    if os.name == "nt":
        return venv / "Lib" / "site-packages"
    return venv / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _requirement_lines(file: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]
