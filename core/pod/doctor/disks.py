"""Checks of disks: the volume's layout, what it allows, space, inodes, quotas."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ...engine.installation import STANDARD_FOLDERS
from ...mounts import mount_of
from ...records.pod import Finding
from ...units import format_bytes
from ..start.prepare import holds_models
from ..start.volume import probe_volume
from .examined import Examined, bad, ok, unknown, warn

_PROBE_BYTES = 8 << 20
_MOST_ENTRIES = 5000
_LOW_RATIO = 0.05
_FEW_INODES = 10_000
_NAMES = {part for parts in STANDARD_FOLDERS.values() for part in parts}


def volume(examined: Examined) -> Iterator[Finding]:
    """Whether there is a disk that outlives the container, and what it allows."""
    path = examined.volume
    if path is None:
        yield unknown("volume", "no /workspace and no /runpod-volume: this is no pod, or one without a volume")
        return
    mount = mount_of(path)
    if not path.is_dir():
        yield bad("volume", f"{path} is not there", "attach the volume when the pod is made; it cannot be added later")
        return
    if mount is None or mount.point == "/":
        yield warn(
            "volume", f"{path} is a folder of the container", "attach a volume, or all of it is lost with the pod"
        )
    else:
        kind = f"{mount.file_system}, {'network' if mount.network else 'local'}"
        advice = "mmap over a network is slow: try ComfyUI's --disable-mmap" if mount.network else None
        yield ok("volume", f"{path} is mounted ({kind})", advice)
    if examined.look_only:
        return
    found = probe_volume(path)
    if not found.writable:
        yield bad("rights", f"{path} cannot be written: {found.problem}", "mount it for writing, or run as its owner")
        return
    refused = [name for name, allowed in (("chmod", found.chmod), ("chown", found.chown)) if not allowed]
    if refused or not found.keeps_modes:
        what = f"{path} refuses {' and '.join(refused) or 'the modes of files'}"
        yield warn(
            "rights", what, "leave it: never chown -R a volume; passwords of services are kept on the container's disk"
        )
    else:
        yield ok("rights", f"{path} takes modes and owners")
    if not found.symlinks:
        yield warn("links", f"{path} takes no symbolic links", "caches of Hugging Face keep two copies of a file there")


def layout(examined: Examined) -> Iterator[Finding]:
    """Whether models lie where ComfyUI looks."""
    path = examined.volume
    if path is None or not path.is_dir():
        return
    misplaced = sorted(name for name in _NAMES if holds_models(path / name))
    if misplaced:
        yield warn(
            "layout",
            f"models lie in {path}/{misplaced[0]} and not in {path}/models/{misplaced[0]} ({', '.join(misplaced)})",
            f"`pod up` lists them there; other images want them below {path}/models: move the folders",
        )
    models = path / "models"
    wrong = [entry.name for entry in _entries(models) if entry.name not in _NAMES and entry.name.lower() in _NAMES]
    wrong += [entry.name for entry in _entries(path) if entry.name != "models" and entry.name.lower() == "models"]
    if wrong:
        yield warn("layout", f"{', '.join(sorted(wrong))}: upper and lower case differ", "ComfyUI wants small letters")
    dangling = [entry for entry in _links(models) if not entry.exists()]
    if dangling:
        shown = ", ".join(str(entry.relative_to(models)) for entry in dangling[:3])
        what = f"{len(dangling)} links below {models} lead nowhere: {shown}"
        yield bad("links", what, "their files lay on a disk that is gone: fetch them again, `comfystow get …`")
    if not misplaced and not wrong and not dangling:
        yield ok("layout", f"models lie in {models}")


def _entries(path: Path) -> list[Path]:
    try:
        return list(islice(path.iterdir(), _MOST_ENTRIES))
    except OSError:
        return []


def _links(models: Path) -> list[Path]:
    below = [entry for folder in _entries(models) if folder.is_dir() for entry in _entries(folder)]
    return [entry for entry in [*_entries(models), *below][:_MOST_ENTRIES] if entry.is_symlink()]


def space(examined: Examined) -> Iterator[Finding]:
    """Free space and inodes of every disk that we write to."""
    places = [examined.volume, examined.installation.state_dir, examined.installation.comfyui, Path("/tmp")]  # noqa: S108
    seen: set[int] = set()
    for place in places:
        path = _existing(place)
        if path is None or path.stat().st_dev in seen:
            continue
        seen.add(path.stat().st_dev)
        yield from _space(path)


def _space(path: Path) -> Iterator[Finding]:
    found = os.statvfs(path)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    said = f"{format_bytes(free)} of {format_bytes(total)} are free at {path}"
    if total and free / total < _LOW_RATIO:
        yield bad("space", said, "free space (`comfystow prune`), or grow the disk")
    else:
        yield ok("space", said)
    if found.f_files and found.f_favail < min(_FEW_INODES, found.f_files * _LOW_RATIO):
        what = f"{found.f_favail} of {found.f_files} inodes are free at {path}"
        yield bad("inodes", what, "many small files fill a disk that still has space: remove caches and old outputs")


def _existing(path: Path | None) -> Path | None:
    if path is None:
        return None
    return next((candidate for candidate in (path, *path.parents) if candidate.exists()), None)


def quota(examined: Examined) -> Iterator[Finding]:
    """Write a few megabytes: a network volume tells the size of the whole pool, and its quota only when it is full."""
    for path in dict.fromkeys(filter(None, (examined.volume, _existing(examined.installation.state_dir)))):
        if examined.look_only:
            yield unknown("quota", f"{path} was not written to", "run `comfystow pod doctor` without `--look-only`")
        elif path.is_dir():
            yield _written(path)


def _written(path: Path) -> Finding:
    probe = path / f".comfystow-probe-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with probe.open("xb") as file:
            file.write(b"\0" * _PROBE_BYTES)
            file.flush()
            os.fsync(file.fileno())
    except OSError as err:
        if err.errno == errno.EDQUOT:
            return bad("quota", f"the quota of {path} is used up", "free space, or grow the volume")
        if err.errno == errno.ENOSPC:
            return bad("quota", f"{path} is full", "free space, or grow the volume")
        return bad("quota", f"{path} cannot be written: {err.strerror}", "mount it for writing, or run as its owner")
    finally:
        with contextlib.suppress(OSError):  # a read-only file system refuses this too, though nothing is there
            probe.unlink()
    return ok("quota", f"{format_bytes(_PROBE_BYTES)} could be written to {path}")
