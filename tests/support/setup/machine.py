"""What is not a Python package: a browser, Prometheus' tools, a compiler, and the JavaScript tools."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .cache import Cache
from .say import SetupError, run, step

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: Program -> Debian's package of it: promtool judges our rules, gcc makes the driver library that the tests load.
_PROGRAMS = {"git": "git", "node": "nodejs", "npm": "npm", "promtool": "prometheus", "gcc": "gcc", "curl": "curl"}


def browser() -> Path | None:
    """Give the browser of this machine; COMFYSTOW_BROWSER names another."""
    named = os.environ.get("COMFYSTOW_BROWSER")
    for name in (named,) if named else _BROWSERS:
        if found := shutil.which(name):
            return Path(found)
    return None


def ensure_programs(cache: Cache) -> None:
    """Install the browser and the programs that are missing where apt-get is there to be used; else say what to install."""
    packages = [package for name, package in _PROGRAMS.items() if shutil.which(name) is None]
    if browser() is None:
        packages.append("chromium")
    if not packages:
        return
    if shutil.which("apt-get") is None or getattr(os, "geteuid", lambda: 1)() != 0:
        raise SetupError(f"please install {', '.join(packages)}: the tests need them, and only root may install them")
    with step(f"installing {', '.join(packages)}"):
        log, env = cache.log("apt"), {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "--quiet"], log=log, env=env)
        run(["apt-get", "install", "--yes", "--no-install-recommends", *packages], log=log, env=env)


def node_tools(cache: Cache, checkout: Path) -> Path:
    """Install what `package.json` names, outside the checkout; give the folder of the commands."""
    manifest = (checkout / "package.json").read_text(encoding="utf-8")

    def build(path: Path) -> None:
        (path / "package.json").write_text(manifest, encoding="utf-8")
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        run(command, log=cache.log("npm"), cwd=path)

    return cache.entry("node", [manifest], "installing the JavaScript tools", build) / "node_modules" / ".bin"
