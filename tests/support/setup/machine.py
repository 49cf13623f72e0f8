"""What is not a Python package: a browser, Prometheus' tools, a compiler, and the JavaScript tools."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import pins
from .cache import Cache
from .say import SetupError, run, say, step

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: Program -> Debian's packages of it: promtool judges our rules, gcc makes the driver library that the tests load.
_PROGRAMS = {
    "git": ["git"],
    "node": ["nodejs"],
    "npm": ["npm"],
    "promtool": ["prometheus"],
    "gcc": ["gcc", "libc6-dev"],
    "curl": ["curl"],
    "sshd": ["openssh-server"],
    "ssh": ["openssh-client"],
}
#: What builds and runs the image for the pod; where it cannot be had, the tests of the image say so.
_ENGINE = {"dockerd": ["docker.io"], "mmdebstrap": ["mmdebstrap"]}
_BROWSER_PACKAGES = ["chromium", "fonts-dejavu-core"]
#: Debian starts what it installs; here nothing may run but what a test starts (invoke-rc.d(8)).
_QUIETLY = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}


def browser() -> Path | None:
    """Give the browser of this machine; COMFYSTOW_BROWSER names another."""
    named = os.environ.get("COMFYSTOW_BROWSER")
    for name in (named,) if named else _BROWSERS:
        if found := shutil.which(name):
            return Path(found)
    return None


def ensure_programs(cache: Cache) -> None:
    """Install the browser and the programs that are missing where apt-get is there to be used; else say what to install."""
    packages = [package for name, needed in _PROGRAMS.items() if shutil.which(name) is None for package in needed]
    if browser() is None:
        packages += _BROWSER_PACKAGES
    if not packages:
        return
    if shutil.which("apt-get") is None or getattr(os, "geteuid", lambda: 1)() != 0:
        raise SetupError(f"please install {', '.join(packages)}: the tests need them, and only root may install them")
    with step(f"installing {', '.join(packages)}"):
        log = cache.log("apt")
        _apt_install(packages, log)


def ensure_engine(cache: Cache) -> None:
    """Install what builds images, where that is possible at all; it is started by the tests that need it."""
    packages = [package for name, needed in _ENGINE.items() if shutil.which(name) is None for package in needed]
    if not packages or shutil.which("apt-get") is None or getattr(os, "geteuid", lambda: 1)() != 0:
        return
    with step(f"installing {', '.join(packages)}"):
        try:
            _apt_install(packages, cache.log("apt"))
        except SetupError as err:
            say(f"no Docker engine: {str(err).splitlines()[0]}")


def compose(cache: Cache) -> Path:
    """Give Docker Compose. Raises: SetupError: it cannot be had on this machine."""
    helper = Path("/usr/lib/apt/apt-helper")
    if platform.machine() != "x86_64" or not helper.exists() or shutil.which("dpkg-deb") is None:
        raise SetupError("Docker Compose is taken from Debian's packages for x86-64")

    def build(path: Path) -> None:
        log, package = cache.log("compose"), path / "compose.deb"
        run([helper, "download-file", pins.COMPOSE_DEB, package, f"SHA256:{pins.COMPOSE_SHA256}"], log=log)
        run(["dpkg-deb", "--extract", package, path], log=log)
        package.unlink()

    entry = cache.entry("compose", [pins.COMPOSE_SHA256], "fetching Docker Compose", build)
    return entry / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-compose"


def _apt_install(packages: Sequence[str], log: Path) -> None:
    run(["apt-get", "update", "--quiet"], log=log, env=_QUIETLY)
    run(["apt-get", "install", "--yes", "--no-install-recommends", *packages], log=log, env=_QUIETLY)


def node_tools(cache: Cache, checkout: Path) -> Path:
    """Install what `package.json` names, outside the checkout; give the folder of the commands."""
    return npm_commands(cache, "node", (checkout / "package.json").read_text(encoding="utf-8"))


def npm_commands(cache: Cache, name: str, manifest: str) -> Path:
    """Install what a `package.json` names; give the folder of the commands."""

    def build(path: Path) -> None:
        (path / "package.json").write_text(manifest, encoding="utf-8")
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        run(command, log=cache.log("npm"), cwd=path)

    return cache.entry(name, [manifest], f"installing the JavaScript tools ({name})", build) / "node_modules" / ".bin"
