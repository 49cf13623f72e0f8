"""Removing the part of a cancelled download, unless it is somebody else's by now: machines can share a volume."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ...offsets import read_at
from ..job import journal_path, part_path
from .advisory import try_lock
from .journal import Lease, decode, may_take
from .machine import Machine, process_alive
from .part import discard_part
from .space import on_network

_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def abandon_part(dest: Path, part_dir: Path | None, lease_seconds: float) -> bool:
    """Delete what a transfer to `dest` left; false when another engine works on it. Raises: OSError.

    On a network volume that engine is there while its last heartbeat is younger than `lease_seconds`.
    """
    part = part_path(dest, part_dir)
    try:
        journal = os.open(journal_path(part), _FLAGS)
    except FileNotFoundError:
        journal = -1
    try:
        if journal >= 0 and _held(part, journal, lease_seconds):
            return False
        discard_part(dest, part_dir)
        return True
    finally:
        if journal >= 0:
            os.close(journal)


def _held(part: Path, journal: int, lease_seconds: float) -> bool:
    took = try_lock(journal)
    if took is False:
        return True
    found = decode(read_at(journal, 1 << 20, 0))
    if found is None or (took and not on_network(part.parent)):
        return False
    lease, machine = found[0].lease, Machine.here()
    near = lease.boot_id == machine.boot_id and lease.pid_namespace == machine.pid_namespace
    if near and lease.pid == os.getpid():  # our own, which has come to rest
        return False
    alive = process_alive(lease.pid) if near else None
    nobody = Lease(owner="", boot_id="", pid_namespace="", pid=-1, heartbeat_at=None)
    return not may_take(lease, now=time.time(), mine=nobody, timeout_seconds=lease_seconds, process_alive=alive)
