"""How one file gets a second name or an equal copy: hard links, reflinks, symbolic links, proven copies.

A hard link needs no space and cannot differ, but works within one mount only. A reflink is a file of its own that
shares its blocks until one is written (FICLONE, ioctl_ficlone(2); Btrfs, XFS, Bcachefs). What makes a new file makes
it under a spare name, which becomes the final one in one step.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ...errors import ChecksumMismatchError
from ...units import MIB

_FICLONE = 0x40049409  # linux/fs.h
#: What says that a file system has no such links; the file itself is all right.
NO_LINKS = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY}
)
_COPY_BYTES = 8 * MIB


def make_reflink(source: Path, spare: Path) -> bool:
    """Make `spare` share the blocks of `source`; False where the file system cannot. Raises: OSError."""
    try:
        import fcntl
    except ImportError:
        return False
    with source.open("rb") as origin, spare.open("xb") as clone:
        try:
            fcntl.ioctl(clone.fileno(), _FICLONE, origin.fileno())
        except OSError as err:
            if err.errno not in NO_LINKS:
                raise
        else:
            shutil.copystat(source, spare)
            os.fsync(clone.fileno())
            return True
    spare.unlink()
    return False


def make_copy(source: Path, spare: Path, digest: str | None, cancelled: Callable[[], bool]) -> str:
    """Copy, read back what was written, and return its SHA-256 in hex.

    Raises: ChecksumMismatchError: what stands on the disk is not what was read, or is not `digest`; OSError;
    InterruptedError: `cancelled` said so.
    """
    read = hashlib.sha256()
    with source.open("rb", buffering=0) as origin, spare.open("xb", buffering=0) as copy:
        while chunk := origin.read(_COPY_BYTES):
            if cancelled():
                raise InterruptedError("cancelled")
            read.update(chunk)
            _write_all(copy.fileno(), chunk)
        os.fsync(copy.fileno())
    shutil.copystat(source, spare)
    written = _on_disk(spare, cancelled)
    if written != read.hexdigest() or (digest is not None and written != digest):
        raise ChecksumMismatchError(f"the copy of `{source.name}` is not what was read", hint="the disk may be failing")
    return written


def _on_disk(path: Path, cancelled: Callable[[], bool]) -> str:
    """Return the SHA-256 of what the disk has, not of what the system still remembers."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := stream.read(_COPY_BYTES):
            if cancelled():
                raise InterruptedError("cancelled")
            digest.update(chunk)
    return digest.hexdigest()


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]
