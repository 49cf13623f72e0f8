"""Space and traffic of the file systems that hold models."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from ..mounts import Mount, mount_of
from ..records.sample import DiskSample

#: Installations list a folder for each kind of model, often dozens; where they lie changes only when somebody mounts.
_PLACES_SECONDS = 60.0
_SECTOR_BYTES = 512  # Documentation/admin-guide/iostats.rst: sectors of 512 bytes, whatever the disk has


class DiskReader:
    """Sample each file system once, however many roots lie on it."""

    def __init__(self, *, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._last: dict[str, tuple[float, int, int]] = {}
        self._placed: tuple[float, tuple[Path, ...], dict[str, tuple[Path, Mount | None]]] | None = None

    def read(self, roots: Iterable[Path]) -> tuple[DiskSample, ...]:
        """Take one sample of each file system, named by its mount point, in the order of the roots."""
        traffic = _diskstats(self._proc)
        places = self._places(tuple(roots))
        return tuple(self._sample(name, path, mount, traffic) for name, (path, mount) in places.items())

    def _places(self, roots: tuple[Path, ...]) -> dict[str, tuple[Path, Mount | None]]:
        """Map each mount point to a path on it; looked up anew once a minute, and when the roots change."""
        now = time.monotonic()
        if self._placed is not None and self._placed[1] == roots and now - self._placed[0] < _PLACES_SECONDS:
            return self._placed[2]
        places: dict[str, tuple[Path, Mount | None]] = {}
        for root in dict.fromkeys(map(_nearest_existing, roots)):
            mount = mount_of(root, proc=self._proc)
            places.setdefault(mount.point if mount is not None else str(root), (root, mount))
        self._placed = (now, roots, places)
        return places

    def _sample(self, name: str, path: Path, mount: Mount | None, traffic: dict[str, tuple[int, int]]) -> DiskSample:
        total, free = _space(path)
        read, write = self._rates(mount.device, traffic) if mount is not None else (None, None)
        return DiskSample(
            path=name,
            file_system=mount.file_system if mount is not None else None,
            network=mount.network if mount is not None else None,
            total_bytes=total,
            free_bytes=free,
            read_bytes_per_second=read,
            write_bytes_per_second=write,
        )

    def _rates(self, device: str, traffic: dict[str, tuple[int, int]]) -> tuple[float | None, float | None]:
        counters = traffic.get(device)
        if counters is None:
            return None, None
        now = time.monotonic()
        last = self._last.get(device)
        self._last[device] = (now, *counters)
        if last is None or now <= last[0] or counters[0] < last[1] or counters[1] < last[2]:
            return None, None
        return (counters[0] - last[1]) / (now - last[0]), (counters[1] - last[2]) / (now - last[0])


def _nearest_existing(path: Path) -> Path:
    """Return the path, or its nearest ancestor that exists: a models folder may not be there yet."""
    return next((candidate for candidate in (path, *path.parents) if candidate.exists()), Path("/"))


def _space(path: Path) -> tuple[int | None, int | None]:
    """Return total and free bytes; free is what an ordinary user may take (statvfs f_bavail)."""
    try:
        if hasattr(os, "statvfs"):
            stat = os.statvfs(path)
            return stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize
        import shutil

        usage = shutil.disk_usage(path)
    except OSError:
        return None, None
    return usage.total, usage.free


def _diskstats(proc: Path) -> dict[str, tuple[int, int]]:
    """Map `major:minor` to bytes read and written since the start (Documentation/admin-guide/iostats.rst)."""
    try:
        lines = (proc / "diskstats").read_text(encoding="ascii").splitlines()
        rows = [line.split() for line in lines]
        return {f"{row[0]}:{row[1]}": (int(row[5]) * _SECTOR_BYTES, int(row[9]) * _SECTOR_BYTES) for row in rows}
    except (OSError, ValueError, IndexError):
        return {}
