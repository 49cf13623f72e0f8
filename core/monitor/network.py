"""Throughput of the network, all interfaces but loopback together (proc_net_dev(5))."""

from __future__ import annotations

import time
from pathlib import Path

from ..records.sample import NetworkSample
from .foreign import foreign_network


class NetworkReader:
    """Turn the interfaces' counters into rates; the first reading has none."""

    def __init__(self, *, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._last: tuple[float, int, int] | None = None

    def read(self) -> NetworkSample:
        """Take one sample; a counter that went backwards (an interface left) gives None once."""
        counters = _counters(self._proc)
        now = time.monotonic()
        last, self._last = self._last, None if counters is None else (now, *counters)
        if counters is None or last is None or now <= last[0] or counters[0] < last[1] or counters[1] < last[2]:
            return NetworkSample()
        seconds = now - last[0]
        return NetworkSample(
            received_bytes_per_second=(counters[0] - last[1]) / seconds,
            sent_bytes_per_second=(counters[1] - last[2]) / seconds,
        )


def _counters(proc: Path) -> tuple[int, int] | None:
    received = sent = 0
    try:
        for line in (proc / "self" / "net" / "dev").read_text(encoding="ascii").splitlines()[2:]:
            name, _, rest = line.partition(":")
            fields = rest.split()
            if name.strip() != "lo":
                received, sent = received + int(fields[0]), sent + int(fields[8])
    except (OSError, ValueError, IndexError):
        return foreign_network()
    return received, sent
