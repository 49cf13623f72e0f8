"""Reads and writes at offsets of an open file, also where the system has no pread (Windows)."""

from __future__ import annotations

import os
import threading

_moving = threading.Lock()  # guards the one position of each descriptor, where there is nothing better


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read up to `size` bytes. Raises: OSError."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, offset)
    with _moving:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> int:
    """Write, and return how many bytes were taken. Raises: OSError."""
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, offset)
    with _moving:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)
