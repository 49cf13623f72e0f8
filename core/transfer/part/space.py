"""Room on the disk, and what an operating-system error of a disk means to the user."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from ...errors import NotEnoughSpaceError, ReadOnlyError, StorageError
from ...mounts import mount_of
from ...units import format_bytes

# Where fallocate(2) only notes extents. Elsewhere glibc's stand-in writes zeros over the whole length
# (posix_fallocate(3), "NOTES"), and on tmpfs it takes memory at once.
_QUICK_FALLOCATE = frozenset({"ext4", "xfs", "btrfs", "f2fs"})


def on_network(path: Path) -> bool:
    """Tell whether writes there cross a network."""
    mount = mount_of(path)
    return mount is not None and mount.network


def check_space(folder: Path, needed_bytes: int, floor_bytes: int, name: str) -> None:
    """Refuse when a file would not fit with the floor left free. Raises: NotEnoughSpaceError."""
    free = shutil.disk_usage(folder).free
    if needed_bytes > 0 and free < needed_bytes + floor_bytes:
        raise NotEnoughSpaceError(
            f"`{name}` needs {format_bytes(needed_bytes)} more, and `{folder}` has {format_bytes(free)} free, of which "
            f"{format_bytes(floor_bytes)} stay free",
            hint="free some space, or choose a folder on another volume",
        )


def reserve(descriptor: int, folder: Path, size_bytes: int) -> None:
    """Give the file its blocks at once where that costs nothing, so that a full disk shows before the first byte."""
    mount = mount_of(folder)
    quick = mount is not None and mount.file_system in _QUICK_FALLOCATE and hasattr(os, "posix_fallocate")
    if size_bytes <= 0 or not quick:
        return
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError as err:
        if err.errno not in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:
            raise


def storage_error(err: OSError, path: Path) -> StorageError:
    """Return our error for a failed read, write or rename."""
    words = err.strerror or str(err)
    match err.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return NotEnoughSpaceError(
                f"the volume of `{path.parent}` is full ({words})", hint="free some space; what arrived is kept"
            )
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return ReadOnlyError(f"`{path.parent}` cannot be written ({words})", hint="choose another folder")
        case errno.EFBIG:
            return StorageError(
                f"`{path.name}` is larger than this file system or a limit allows ({words})",
                hint="FAT32 ends at 4 GB: choose a folder on another volume",
            )
        case _:
            return StorageError(f"cannot write `{path.name}`: {words}", hint="look at the disk")
