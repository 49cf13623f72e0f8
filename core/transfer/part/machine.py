"""Which run of which machine this is, and whether a process of it lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """What tells this run of this machine from any other."""

    boot_id: str
    pid_namespace: str

    @classmethod
    def here(cls) -> Machine:
        """Ask the kernel; where there is no Linux, the host's name stands in and every start counts as a boot."""
        try:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            return cls(boot, str(Path("/proc/self/ns/pid").readlink()))
        except OSError:
            return cls(f"{socket.gethostname()}-{os.getpid()}", "")


def process_alive(pid: int) -> bool | None:
    """Tell whether a process of this machine lives; None on Windows, whose os.kill has no signal that only asks."""
    if os.name == "nt":
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
