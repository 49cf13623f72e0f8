"""Which links lead from one place to another: what the mounts of both say, asked once for each folder."""

from __future__ import annotations

import os
from pathlib import Path

from ...mounts import Mount, read_mounts
from ...records.change import LinkPolicy, Method

#: File systems that know no second name of a file.
_WITHOUT_HARD_LINKS = frozenset({"vfat", "exfat", "msdos", "fuse.exfat", "fuse.gcsfuse", "fuse.s3fs", "fuse.rclone"})
_WITH_REFLINKS = frozenset({"btrfs", "xfs", "bcachefs", "ocfs2", "zfs", "apfs"})

_METHODS = {
    LinkPolicy.HARD: Method.HARD,
    LinkPolicy.REFLINK: Method.REFLINK,
    LinkPolicy.SYM: Method.SYMLINK,
    LinkPolicy.COPY: Method.COPY,
}


class Volumes:
    """The mount table of one plan. Two mounts of one device are two volumes: links do not cross them (link(2))."""

    def __init__(self, mounts: list[Mount] | None = None) -> None:
        listed = read_mounts() if mounts is None else mounts
        self._mounts = {mount.point.rstrip("/"): mount for mount in listed}
        self._of_folder: dict[str, tuple[Mount | None, int | None]] = {}

    def method(self, policy: LinkPolicy, source: str, target: str) -> tuple[Method | None, str]:
        """Choose how `target` comes to hold what `source` does; without a way, the text says what to choose from."""
        near = self.same(source, target)
        if policy is LinkPolicy.MOVE:
            return (Method.RENAME if near else Method.COPY), ""
        if policy in {LinkPolicy.SYM, LinkPolicy.COPY}:
            return _METHODS[policy], ""
        mount, _device = self._of(target)
        kind = mount.file_system if mount is not None else None
        if policy is not LinkPolicy.HARD and kind in _WITH_REFLINKS and self._one_device(source, target):
            if policy is LinkPolicy.REFLINK or not near:
                return Method.REFLINK, ""
        elif policy is LinkPolicy.REFLINK:
            return None, f"{kind or 'its file system'} has no reflinks: choose hard, copy, sym or move"
        if not near:
            return None, "it lies on another volume, where no hard link leads: choose copy, sym or move"
        if kind in _WITHOUT_HARD_LINKS:
            return None, f"{kind} has no hard links: choose copy or move"
        return Method.HARD, ""

    def same(self, one: str, other: str) -> bool:
        """Tell whether a file can be renamed or linked from one place to the other."""
        mount, device = self._of(one)
        mount_of_other, device_of_other = self._of(other)
        return mount == mount_of_other and device is not None and device == device_of_other

    def network(self, path: str) -> bool:
        """Tell whether a path lies on another machine."""
        mount, _device = self._of(path)
        return mount is not None and mount.network

    def _one_device(self, one: str, other: str) -> bool:
        mount, _ = self._of(one)
        mount_of_other, _ = self._of(other)
        if mount is None or mount_of_other is None:
            return False
        return mount.device == mount_of_other.device and mount.file_system == mount_of_other.file_system

    def _of(self, path: str) -> tuple[Mount | None, int | None]:
        folder = os.path.dirname(path)  # noqa: PTH120 - once a file of a plan of many thousands
        found = self._of_folder.get(folder)
        if found is None:
            found = self._of_folder[folder] = self._look(folder)
        return found

    def _look(self, folder: str) -> tuple[Mount | None, int | None]:
        real = os.path.realpath(folder)
        existing = next((place for place in (Path(real), *Path(real).parents) if place.is_dir()), None)
        device = existing.stat().st_dev if existing is not None else None
        places = (real, *map(str, Path(real).parents))
        return next((self._mounts[key] for place in places if (key := place.rstrip("/")) in self._mounts), None), device
