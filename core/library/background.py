"""A thread that takes what others leave of processor and disk."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading

#: `ioprio_set` has no wrapper in libc; its number by machine (ioprio_set(2), syscalls(2)).
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_WHO_PROCESS = 1  # with 0 it is the calling thread
_IDLE_CLASS = 3 << 13


def lower_priority(*, nice: int = 10, idle_disk: bool = True) -> None:
    """Give the calling thread a lower share, on Linux: `nice`, and the idle class of the disk's scheduler.

    Both cannot be taken back without rights, so call it in a thread made for the purpose. What is not possible is left.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
    number = _IOPRIO_SET.get(platform.machine())
    if idle_disk and number is not None:
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).syscall(number, _WHO_PROCESS, 0, _IDLE_CLASS)
