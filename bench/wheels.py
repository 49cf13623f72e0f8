"""How large torch with CUDA is: as the registry states it, and as the wheels themselves do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .engine_process import CHECKOUT

_LOCKS = CHECKOUT / "docker" / "requirements"
_PYTHON, _PLATFORM = "3.12", "x86_64-manylinux_2_28"
_FITS = re.compile(r"-(cp312-cp312|cp3\d+-abi3|py3-none|py2\.py3-none)-(any|.*manylinux.*x86_64)\.whl$")
#: Bytes of a compiled module to a byte of its source, over the packages of ComfyUI's environment.
_COMPILED = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Torch:
    """What one lock brings that ComfyUI's own requirements do not: bytes over the network, and in the layer."""

    name: str
    download_bytes: int
    installed_bytes: float


def torch_of(name: str) -> Torch:
    """Add up the wheels of a lock of `docker/requirements/torch` for Python 3.12 on x86-64."""
    others = set(re.findall(r"(?m)^([\w.-]+)==(?!.*'none')", (_LOCKS / "comfyui.txt").read_text()))
    download, installed = 0, 0.0
    for package in _locked(name):
        (wheel, *_) = [wheel for wheel in package["wheels"] if _FITS.search(wheel["url"])]
        download += wheel["size"]
        if package["name"] not in others:
            files = _files_of(wheel["url"])
            installed += sum(size + _COMPILED * size * path.endswith(".py") for path, size in files)
    return Torch(name=name, download_bytes=download, installed_bytes=installed)


def _locked(name: str) -> list[dict[str, Any]]:
    """Ask uv for the files of a lock: its own format of locks holds their sizes."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [f"{folder}/bin/pip", "install", "--quiet", "--require-hashes", "--requirement", _LOCKS / "uv.txt"]
        subprocess.run([str(word) for word in install], check=True)
        source, lock, out = (
            _LOCKS / "torch" / f"{name}.in",
            _LOCKS / "torch" / f"{name}.txt",
            Path(folder, "pylock.toml"),
        )
        words = [
            f"{folder}/bin/uv",
            "pip",
            "compile",
            source,
            "--constraint",
            lock,
            "--format",
            "pylock.toml",
            "--quiet",
        ]
        words += ["--python-version", _PYTHON, "--python-platform", _PLATFORM, "--output-file", out]
        subprocess.run([str(word) for word in words], check=True)
        return list(tomllib.loads(out.read_text())["packages"])


def _files_of(url: str) -> list[tuple[str, int]]:
    """List path and size of a wheel's files: pip reads no more of it than its directory."""
    from pip._internal.network.lazy_wheel import LazyZipOverHTTP
    from pip._internal.network.session import PipSession

    session = PipSession()
    session.verify = os.environ.get("PIP_CERT") or True
    with zipfile.ZipFile(LazyZipOverHTTP(url, session)) as wheel:  # type: ignore[arg-type]
        return [(entry.filename, entry.file_size) for entry in wheel.infolist()]


if __name__ == "__main__":
    print(*(torch_of(name) for name in sys.argv[1:]), sep="\n")
