"""Processes of the pod: found by the mark in their environment and by their parents, ended with a grace.

A mark is needed because a grandchild may leave its process group (`setsid`), and with it the reach of a signal to the
group. Only Linux tells (`/proc`); elsewhere nothing is found, and groups alone are ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

#: Set in the environment of every service; the value names one run of a pod.
MARK = "COMFYSTOW_POD_MARK"

_POLL_SECONDS = 0.05
#: A killed process takes a moment to die; one that waits for a disk may take for ever.
_KILL_SECONDS = 2.0
_PROC = Path("/proc")


def marked(mark: str) -> set[int]:
    """Return the processes of our user that carry the mark, but us."""
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for pid in _pids():
        with contextlib.suppress(OSError):
            if wanted in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found - {os.getpid()}


def below(parents: Iterable[int]) -> set[int]:
    """Return all descendants of some processes."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        fields = _stat(pid)
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(pid)
    found: set[int] = set()
    waiting = list(parents)
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def runs(pid: int) -> bool:
    """Tell whether a process runs; a zombie has ended, whoever will take its status."""
    fields = _stat(pid)
    return fields is not None and fields[0] not in {"Z", "X"}


def group_runs(group: int) -> bool:
    """Tell whether a process of a group still runs."""
    return any((fields := _stat(pid)) is not None and int(fields[2]) == group and runs(pid) for pid in _pids())


def ask_group(group: int) -> None:
    """Ask a service's process group to end."""
    _signal_group(group, signal.SIGTERM)


def kill_group(group: int) -> None:
    """Kill what is left of a service's process group."""
    _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: int) -> None:
    if group > 1 and group != os.getpgrp():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def end(pids: set[int], grace_seconds: float) -> set[int]:
    """Ask processes to end, kill those that stay; return the ones that had to be killed. Blocking."""
    _signal(pids, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while (left := {pid for pid in pids if runs(pid)}) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    _signal(left, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_SECONDS
    while any(map(runs, left)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return left


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in os.scandir(_PROC) if entry.name.isdigit()]
    except OSError:
        return []


def _stat(pid: int) -> list[str] | None:
    """Return state, parent, process group and so on; the name before them may hold anything (proc_pid_stat(5))."""
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
