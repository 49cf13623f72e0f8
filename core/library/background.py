"""A thread that takes what others leave of processor and disk."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading

_NICE = 10
#: `ioprio_set` has no wrapper in libc; its number by machine (ioprio_set(2), syscalls(2)).
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_WHO_PROCESS = 1  # with 0 it is the calling thread
_IDLE_CLASS = 3 << 13


def lower_priority() -> None:
    """Give the calling thread the lowest share: nice 10, and the idle class of the disk's scheduler, on Linux.

    Both cannot be taken back without rights, so call it in a thread made for the purpose. What is not possible is left.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).syscall(number, _WHO_PROCESS, 0, _IDLE_CLASS)
