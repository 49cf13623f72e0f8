"""What a container may really use: control groups v2, v1, or none.

In a container `/proc/stat`, `/proc/meminfo` and psutil speak of the host; the limits stand in the control group
(kernel documentation: admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/memory.rst, scheduler/sched-bwc.rst).
The roots are arguments, so that tests read a recorded machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: v1 says "no limit" with the largest page-aligned signed 64-bit number; anything near it means none.
_V1_UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupReading:
    """Raw counters; `cpu_seconds` grows, `cores` is the quota."""

    version: int | None = None
    cores: float | None = None
    cpu_seconds: float | None = None
    memory_used_bytes: int | None = None
    memory_limit_bytes: int | None = None
    oom_kills: int | None = None


@dataclass(frozen=True, slots=True)
class _Group:
    """The folders of our own group and its ancestors, nearest first; a limit of any of them binds."""

    folders: tuple[Path, ...]

    def number(self, name: str) -> int | None:
        """Read a whole number from the nearest folder that has the file."""
        for folder in self.folders:
            text = _read(folder / name)
            if text is not None:
                return _int(text)
        return None

    def smallest(self, name: str) -> int | None:
        """Read the smallest of the limits on the way up."""
        values = [value for folder in self.folders if (value := _int(_read(folder / name))) is not None]
        return min(values, default=None)

    def field(self, name: str, key: str) -> int | None:
        """Read `key value` from a flat-keyed file of the nearest folder that has it."""
        for folder in self.folders:
            for line in (_read(folder / name) or "").splitlines():
                found, _, value = line.partition(" ")
                if found == key:
                    return _int(value)
        return None


def read_cgroup(proc: Path = Path("/proc"), sys: Path = Path("/sys/fs/cgroup")) -> CgroupReading:
    """Read our own control group; every field is optional, none of it raises."""
    membership = _membership(proc)
    if (sys / "cgroup.controllers").exists():
        return _read_v2(_group(sys, membership.get("", "/")))
    if "memory" in membership or "cpu" in membership:
        return _read_v1(sys, membership)
    return CgroupReading()


def _membership(proc: Path) -> dict[str, str]:
    """Map each v1 controller (and "" for v2) to our group's path (proc/self/cgroup, `id:controllers:path`)."""
    groups: dict[str, str] = {}
    for line in (_read(proc / "self" / "cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            groups[controller] = path
    return groups


def _group(root: Path, path: str) -> _Group:
    """Return our folder and its ancestors below `root`.

    Inside a container with a namespace of its own the path is `/`; without one it names folders that are not
    mounted, and then the root is our own.
    """
    folder = root / path.strip("/")
    if not folder.is_dir() or ".." in Path(path).parts:
        return _Group((root,))
    chain = [folder, *folder.parents]
    return _Group(tuple(chain[: chain.index(root) + 1]))


def _read_v2(group: _Group) -> CgroupReading:
    usage = group.field("cpu.stat", "usage_usec")
    used = group.number("memory.current")
    cache = group.field("memory.stat", "inactive_file")
    return CgroupReading(
        version=2,
        cores=_v2_cores(group),
        cpu_seconds=None if usage is None else usage / 1e6,
        memory_used_bytes=_without_cache(used, cache),
        memory_limit_bytes=group.smallest("memory.max"),
        oom_kills=group.field("memory.events", "oom_kill"),
    )


def _v2_cores(group: _Group) -> float | None:
    quotas = []
    for folder in group.folders:
        quota, _, period = (_read(folder / "cpu.max") or "").partition(" ")
        if (allowed := _int(quota)) is not None and (every := _int(period)):
            quotas.append(allowed / every)
    return min(quotas, default=None)


def _read_v1(sys: Path, membership: dict[str, str]) -> CgroupReading:
    memory = _group(sys / "memory", membership.get("memory", "/"))
    cpu = _group(sys / "cpu", membership.get("cpu", "/"))
    usage = _group(sys / "cpuacct", membership.get("cpuacct", "/")).number("cpuacct.usage")
    quota, period = cpu.number("cpu.cfs_quota_us"), cpu.number("cpu.cfs_period_us")
    limit = memory.smallest("memory.limit_in_bytes")
    return CgroupReading(
        version=1,
        cores=quota / period if quota is not None and quota > 0 and period else None,
        cpu_seconds=None if usage is None else usage / 1e9,
        memory_used_bytes=_without_cache(
            memory.number("memory.usage_in_bytes"), memory.field("memory.stat", "total_inactive_file")
        ),
        memory_limit_bytes=None if limit is None or limit >= _V1_UNLIMITED else limit,
        oom_kills=memory.field("memory.oom_control", "oom_kill"),
    )


def _without_cache(used: int | None, inactive_file: int | None) -> int | None:
    """Take the page cache that the kernel gives back at once out of the usage, as `kubectl top` and docker do."""
    return used if used is None or inactive_file is None else max(0, used - inactive_file)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None


def _int(text: str | None) -> int | None:
    try:
        return int(text.strip()) if text is not None else None
    except ValueError:
        return None  # `max` means no limit
