"""How far the engine goes behind other programs of its machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")


def step_back(nice: int) -> None:
    """Go behind others by `nice`, 1 to 19; 0 changes nothing. Threads that are made later inherit it (setpriority(2)).

    Where sessions are scheduling groups of their own, as on most desktops, that number counts inside the session
    alone; so its group steps back too (sched(7), "The autogroup feature"), where the session is ours.
    """
    if nice <= 0 or not hasattr(os, "setpriority"):
        return
    nice = min(nice, 19)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            _AUTOGROUP.write_text(str(nice), encoding="ascii")
