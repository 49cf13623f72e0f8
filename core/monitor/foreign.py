"""Systems without `/proc` (Windows, macOS): the same numbers from psutil, where it is installed.

On Linux psutil is never asked: inside a container it speaks of the host, and a `/proc` that tells nothing is unknown.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def _psutil() -> Any:
    if sys.platform == "linux":
        return None
    try:
        return importlib.import_module("psutil")
    except ImportError:
        return None


def foreign_busy_seconds() -> float | None:
    """Return the seconds that all processors were busy."""
    psutil = _psutil()
    if psutil is None:
        return None
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "interrupt", 0.0))


def foreign_memory() -> tuple[int | None, int | None]:
    """Return total and available memory in bytes."""
    psutil = _psutil()
    if psutil is None:
        return None, None
    memory = psutil.virtual_memory()
    return memory.total, memory.available


def foreign_network() -> tuple[int, int] | None:
    """Return bytes received and sent by all interfaces but loopback (`lo`, `lo0`, Windows' pseudo interface)."""
    psutil = _psutil()
    if psutil is None:
        return None
    rows = [row for name, row in psutil.net_io_counters(pernic=True).items() if not name.lower().startswith("lo")]
    return sum(row.bytes_recv for row in rows), sum(row.bytes_sent for row in rows)
