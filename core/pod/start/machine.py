"""Facts of this machine that tuning and doctor go by; each may be unknown, none is asked of a driver that can hang."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from ...monitor.cgroup import read_cgroup

#: Debian's and Ubuntu's names of the library, the small one first (libtcmalloc-minimal4, libgoogle-perftools4).
_TCMALLOC = ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4")
_LIBRARY_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/lib",
)
_VERSION = re.compile(r"^__version__ = ['\"](\d+)\.(\d+)", re.MULTILINE)


def quota_cores(rented_cores: float | None) -> float | None:
    """Return the cores that this container may use: the least of quota, affinity and what the provider says."""
    known = [read_cgroup().cores, rented_cores]
    if hasattr(os, "sched_getaffinity"):
        known.append(float(len(os.sched_getaffinity(0))))
    return min((cores for cores in known if cores), default=None)


def find_tcmalloc() -> Path | None:
    """Return the library where it is installed."""
    places = [Path(folder, name) for name in _TCMALLOC for folder in _LIBRARY_FOLDERS]
    return next((path for path in places if path.is_file()), None)


def uses_glibc() -> bool:
    """Tell whether Python stands on glibc (Alpine's musl has no arenas)."""
    return platform.libc_ver()[0] == "glibc"


def torch_version(python: str) -> tuple[int, int] | None:
    """Return major and minor of the torch that an interpreter has, without importing it; None where none is seen."""
    home = Path(python).parent.parent
    for site in (*home.glob("lib/python3*/site-packages"), *home.glob("local/lib/python3*/dist-packages")):
        try:
            found = _VERSION.search((site / "torch" / "version.py").read_text(encoding="utf-8"))
        except OSError:
            continue
        if found:
            return int(found[1]), int(found[2])
    return None


def packages_compiled(python: str) -> bool:
    """Tell whether an interpreter's packages lie there compiled; True where none are seen."""
    for site in Path(python).parent.parent.glob("lib/python3*/site-packages"):
        try:
            packages = [entry for entry in site.iterdir() if (entry / "__init__.py").is_file()]
        except OSError:
            continue
        if packages:
            return any((package / "__pycache__").is_dir() for package in packages)
    return True


def really_loaded(library: str, pid: int) -> bool | None:
    """Tell whether a process has a library mapped; None where that cannot be seen."""
    try:
        return library in Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return None
