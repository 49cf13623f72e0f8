"""End processes that outlive the one that started them, and only those.

An engine lives in a session of its own on purpose. Everything that a run starts inherits one environment variable;
what still carries it at the end is the run's own.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

MARK = "COMFYSTOW_STARTED_BY"
_GRACE_SECONDS = 5.0


def marked_pids(mark: str) -> list[int]:
    """List the living processes that carry the mark; empty where there is no /proc."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            carried = wanted in (entry / "environ").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if carried and state != "Z" and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def end_marked(mark: str) -> list[int]:
    """End what carries the mark, by SIGTERM and then by SIGKILL; give the pids that were ended."""
    ended = marked_pids(mark)
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        for pid in marked_pids(mark):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + _GRACE_SECONDS
        while marked_pids(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
    return ended
