"""Processor and memory of this container or machine.

The control group is asked first: psutil and `/proc` speak of the whole host inside a container.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..records.sample import HostSample
from .cgroup import CgroupReading, read_cgroup
from .foreign import foreign_busy_seconds, foreign_memory


class HostReader:
    """Turn growing counters into rates between two readings; the first reading has no utilisation."""

    def __init__(
        self,
        *,
        proc: Path = Path("/proc"),
        cgroup: Path = Path("/sys/fs/cgroup"),
        rented_cores: float | None = None,
    ) -> None:
        """`rented_cores` is what the provider says where the container has no quota (RunPod: RUNPOD_CPU_COUNT)."""
        self._proc = proc
        self._cgroup = cgroup
        self._rented_cores = rented_cores
        self._last: tuple[float, float] | None = None  # monotonic seconds, CPU seconds

    def read(self) -> HostSample:
        """Take one sample; what cannot be read is None."""
        group = read_cgroup(self._proc, self._cgroup)
        cores = self._cores(group)
        limit, used = self._memory(group)
        return HostSample(
            cores=cores,
            cpu_utilization_ratio=self._utilization(group, cores),
            memory_used_bytes=used,
            memory_limit_bytes=limit,
            oom_kills=group.oom_kills,
            load_1m=_load(self._proc),
        )

    def _cores(self, group: CgroupReading) -> float | None:
        """Return the least of affinity, quota and what the provider says we rent."""
        try:
            allowed: float | None = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        except OSError:
            allowed = os.cpu_count()
        return min((value for value in (allowed, group.cores, self._rented_cores) if value), default=None)

    def _utilization(self, group: CgroupReading, cores: float | None) -> float | None:
        limited = group.cores is not None or self._rented_cores is not None
        spent = group.cpu_seconds if limited else None
        if spent is None:
            spent = _busy_seconds(self._proc)
            cores = os.cpu_count()
        now = time.monotonic()
        last, self._last = self._last, None if spent is None else (now, spent)
        if spent is None or last is None or not cores or now <= last[0]:
            return None
        return min(1.0, max(0.0, (spent - last[1]) / (now - last[0]) / cores))

    def _memory(self, group: CgroupReading) -> tuple[int | None, int | None]:
        total, available = _meminfo(self._proc)
        if group.memory_limit_bytes is not None and (total is None or group.memory_limit_bytes < total):
            return group.memory_limit_bytes, group.memory_used_bytes
        used = None if total is None or available is None else total - available
        return total, used


def _busy_seconds(proc: Path) -> float | None:
    """Return the seconds that all processors were busy (proc(5): user nice system idle iowait irq softirq steal)."""
    try:
        first = (proc / "stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        ticks = [int(value) for value in first[1:9]]
    except (OSError, ValueError):
        return foreign_busy_seconds()
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _meminfo(proc: Path) -> tuple[int | None, int | None]:
    """Return MemTotal and MemAvailable in bytes."""
    values: dict[str, int] = {}
    try:
        for line in (proc / "meminfo").read_text(encoding="ascii").splitlines():
            key, _, rest = line.partition(":")
            values[key] = int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return foreign_memory()
    return values.get("MemTotal"), values.get("MemAvailable")


def _load(proc: Path) -> float | None:
    try:
        return float((proc / "loadavg").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
