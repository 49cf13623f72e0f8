"""From the part to the final name: durable, in one step, never over another file."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from functools import cache
from pathlib import Path
from typing import Any

from .errors import NameTakenError

_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2  # linux/fs.h
_AT_FDCWD = -100
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})


def rename_without_replacing(source: Path | str, dest: Path | str) -> None:
    """Rename a file of the same volume. Raises: NameTakenError: `dest` exists; OSError."""
    try:
        if not _renameat2(source, dest, _RENAME_NOREPLACE):
            _link_and_unlink(Path(source), Path(dest))
    except FileExistsError as err:
        folder, name = os.path.split(dest)
        raise NameTakenError(
            f"`{name}` exists already in `{folder}`", hint="nothing was overwritten; choose another name"
        ) from err


def exchange_names(one: Path | str, other: Path | str) -> bool:
    """Swap two files of one volume in one step; False where the system cannot. Raises: OSError."""
    return _renameat2(one, other, _RENAME_EXCHANGE)


def sync_folder(folder: Path) -> None:
    """Make a rename within the folder durable; systems that cannot sync a folder need not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _renameat2(source: Path | str, dest: Path | str, flag: int) -> bool:
    """Return False where the kernel or the file system does not know the call."""
    call = _libc_renameat2()
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(dest), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(dest))


@cache
def _libc_renameat2() -> Any:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2  # glibc 2.28, musl 1.2.4
    except (OSError, AttributeError, TypeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return call


def _link_and_unlink(source: Path, dest: Path) -> None:
    if os.name == "nt":
        source.rename(dest)  # refuses an existing name by itself
        return
    try:
        os.link(source, dest)
    except OSError as err:
        if err.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
            raise
        # FAT, exFAT and some FUSE volumes know neither call: between look and rename lies a moment.
        if os.path.lexists(dest):
            raise FileExistsError(errno.EEXIST, "exists", str(dest)) from err
        source.rename(dest)
        return
    source.unlink()
