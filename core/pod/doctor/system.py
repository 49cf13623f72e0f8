"""Checks of processor, memory, network and clock."""

from __future__ import annotations

import email.utils
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ...monitor.cgroup import read_cgroup
from ...records.pod import Finding
from ...units import format_bytes
from ..start.machine import quota_cores
from .examined import Examined, bad, ok, unknown, warn

_SMALL_MEMORY_BYTES = 8_000_000_000
_SMALL_SHM_BYTES = 65 << 20
_SKEW_SECONDS = 120.0
_NETWORK_SECONDS = 8.0
_POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cores(examined: Examined) -> Iterator[Finding]:
    """Cores that this container may use, against what libraries count and what somebody set."""
    may, host = quota_cores(examined.settings.rented_cores), os.cpu_count()
    if may is None or host is None:
        yield unknown("processor", "how many cores this container may use cannot be seen")
        return
    said = f"{may:g} of the host's {host} cores may be used"
    high = [name for name in _POOLS if _number(examined.environment.get(name)) > may]
    if high:
        yield warn(
            "threads", f"{high[0]} is above that: {said}", f"set it to {max(1, int(may))}, or leave it to `pod up`"
        )
    elif may < host and not any(name in examined.environment for name in _POOLS) and examined.pod is None:
        yield warn("threads", f"{said}, and libraries count all of them", f"set OMP_NUM_THREADS={max(1, int(may))}")
    else:
        yield ok("processor", said)


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def memory(_examined: Examined) -> Iterator[Finding]:
    """The limit of the control group, what the kernel killed, and shared memory."""
    group = read_cgroup()
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = min(group.memory_limit_bytes or host, host)
    said = f"{format_bytes(limit)} may be used, the host has {format_bytes(host)}"
    if limit < _SMALL_MEMORY_BYTES:
        yield warn("memory", said, "models pass through memory on their way to the GPU: rent more of it")
    else:
        yield ok("memory", said)
    if group.oom_kills:
        what = f"the kernel killed {group.oom_kills} processes of this container for want of memory"
        yield bad("memory", what, "rent more memory, load smaller models, or start ComfyUI with --cache-none")
    try:
        shared = os.statvfs("/dev/shm")  # noqa: S108 - its size is all we want
    except OSError:
        return
    size = shared.f_blocks * shared.f_frsize
    if size < _SMALL_SHM_BYTES:
        what = f"/dev/shm has {format_bytes(size)}"  # noqa: S108
        yield warn("shared memory", what, "start the container with --shm-size=1g: loaders with workers need it")


def names(examined: Examined) -> Iterator[Finding]:
    """Whether the hubs' names can be looked up; networks without public DNS are a usual reason that nothing comes."""
    endpoints = (examined.settings.hf_endpoint, examined.settings.civitai_endpoint)
    for host in dict.fromkeys(urlsplit(endpoint).hostname or endpoint for endpoint in endpoints):
        try:
            socket.getaddrinfo(host, 443)
        except OSError as err:
            advice = "give the pod public DNS (RunPod: switch Global Networking off), or set /etc/resolv.conf"
            yield bad("names", f"{host} cannot be looked up: {err.strerror or err}", advice)
        else:
            yield ok("names", f"{host} is known")


def clock(examined: Examined) -> Iterator[Finding]:
    """The clock against a hub's: signed addresses and tokens fail when it is wrong."""
    request = urllib.request.Request(examined.settings.hf_endpoint, method="HEAD")  # noqa: S310 - the owner's endpoint
    try:
        with urllib.request.urlopen(request, timeout=_NETWORK_SECONDS) as answer:  # noqa: S310
            told = answer.headers.get("Date")
    except urllib.error.HTTPError as err:
        told = err.headers.get("Date")
    except (OSError, ValueError) as err:
        yield unknown("clock", f"no hub could be asked for the time: {getattr(err, 'reason', err)}")
        return
    if told is None:
        yield unknown("clock", "the hub did not tell the time")
        return
    skew = time.time() - email.utils.parsedate_to_datetime(told).timestamp()
    if abs(skew) > _SKEW_SECONDS:
        what = f"the clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
        yield bad("clock", what, "the host sets it: ask its provider; signed downloads fail until then")
    else:
        yield ok("clock", f"the clock is right to {max(1.0, abs(skew)):.0f} s")


def kernel(_examined: Examined, *, root: Path = Path("/")) -> Iterator[Finding]:
    """Kernel values that somebody wants to set: in an unprivileged container /proc/sys cannot be written."""
    wanted: list[str] = []
    for file in [root / "etc/sysctl.conf", *sorted((root / "etc/sysctl.d").glob("*.conf"))]:
        if file.name.startswith(("10-", "99-sysctl", "protect-")) or file.is_symlink():
            continue  # the distribution's own
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        wanted += [
            line.split("=")[0].strip() for line in lines if "=" in line and not line.lstrip().startswith(("#", ";"))
        ]
    if wanted and not os.access(root / "proc/sys/vm/swappiness", os.W_OK):
        what = f"{', '.join(wanted[:3])} are set in sysctl files, and nothing here can apply them"
        yield warn("kernel", what, "take the lines out: kernel values are the host's")
