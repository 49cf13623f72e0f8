"""A lock that the kernel lets go when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class FileLock:
    """An exclusive lock on a file. The file stays: removing it would let two hold "the" lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock; false when another holds it. Raises: OSError: this file system has no locks."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if sys.platform == "win32":
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(handle)
            return False
        except OSError:
            os.close(handle)
            raise
        if not self._is_the_file(handle):
            os.close(handle)
            return False
        self._handle = handle
        return True

    def acquire_within(self, timeout_seconds: float, *, pause_seconds: float = 0.02) -> bool:
        """Take the lock as soon as it is free; false when it is not for that long."""
        deadline = time.monotonic() + timeout_seconds
        while not self.acquire():
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause_seconds)
        return True

    def release(self) -> None:
        """Let the lock go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _is_the_file(self, handle: int) -> bool:
        """Tell whether what we locked still has the name: a cleaner of /tmp may have removed it meanwhile."""
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except OSError:
            return False

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
