"""The one sampler: nothing is read unless somebody holds a lease.

Rivals that poll for everybody all the time cost users 30 to 60 % of generation speed and keep idle GPUs awake
(ComfyUI-Crystools issue 254). Here a viewer, a scrape, the idle policy or an alert rule takes a lease for some seconds;
without one there is no thread. The cost of each sample is measured, and the interval grows so that sampling stays below
`budget_ratio` of one core.
"""

from __future__ import annotations

import logging
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..records.sample import GpuSample, SystemSample
from .disk import DiskReader
from .gpu_amd import read_amd
from .gpu_nvml import NvmlReader
from .history import History
from .host import HostReader
from .network import NetworkReader

_log = logging.getLogger("comfystow.monitor")


class GpuReader(Protocol):
    """What reads the GPUs of one vendor; `read` may hang in a driver."""

    note: str | None

    def read(self) -> tuple[GpuSample, ...] | None:
        """Take one sample, None where there is no such driver."""

    def close(self) -> None:
        """Let go of the driver."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Somebody looks: until when (monotonic seconds), and how often they want a sample."""

    holder: str
    until: float
    interval_seconds: float


def next_interval(wanted_seconds: float, costs_seconds: Sequence[float], budget_ratio: float) -> float:
    """Return the pause between samples: as wanted, or longer where samples cost more than the budget.

    The median of the last costs decides: one sample that met a page fault or an import says nothing of the next.
    """
    return max(wanted_seconds, statistics.median(costs_seconds) / budget_ratio) if costs_seconds else wanted_seconds


class Sampler:
    """Take samples while leases last; `latest` and `history` are read from any thread."""

    def __init__(
        self,
        *,
        roots: Callable[[], Iterable[Path]],
        on_sample: Callable[[SystemSample], None] = lambda _: None,
        gpu: GpuReader | None = None,
        gpu_timeout_seconds: float = 2.0,
        budget_ratio: float = 0.005,
    ) -> None:
        self._roots = roots
        self._on_sample = on_sample
        self._gpu = _GuardedGpu(gpu if gpu is not None else NvmlReader(), gpu_timeout_seconds)
        self._budget_ratio = budget_ratio
        self._host, self._disk, self._network = HostReader(), DiskReader(), NetworkReader()
        self._wake = threading.Condition()  # guards _leases, _thread, _closed and latest
        self._leases: dict[str, Lease] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self.latest: SystemSample | None = None
        self.history = History()

    def lease(self, holder: str, seconds: float, interval_seconds: float = 1.0) -> None:
        """Keep sampling for `seconds`; the same holder again renews or changes its lease."""
        with self._wake:
            if self._closed:
                return
            self._leases[holder] = Lease(holder, time.monotonic() + seconds, max(1.0, interval_seconds))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="comfystow-sampler", daemon=True)
                self._thread.start()
            self._wake.notify_all()

    def release(self, holder: str) -> None:
        """End a lease before its time."""
        with self._wake:
            self._leases.pop(holder, None)
            self._wake.notify_all()

    @property
    def sampling(self) -> bool:
        """True while the thread lives."""
        return self._thread is not None

    def close(self, timeout_seconds: float = 3.0) -> None:
        """Stop sampling and let go of the drivers."""
        with self._wake:
            self._closed = True
            self._leases.clear()
            thread = self._thread
            self._wake.notify_all()
        if thread is not None:
            thread.join(timeout_seconds)

    def _run(self) -> None:
        self._take()  # a rate needs two readings, and the first pays for imports and the driver's start
        costs: deque[float] = deque(maxlen=9)
        while self._wait(time.monotonic(), costs):
            sample = self._take()
            costs.append(sample.cost_seconds or 0.0)
            with self._wake:
                self.latest = sample
            self.history.add(sample)
            self._on_sample(sample)

    def _wait(self, started: float, costs: Sequence[float]) -> bool:
        """Sleep until the next sample is due; false, and no thread any more, when the last lease has run out."""
        with self._wake:
            while True:
                now = time.monotonic()
                self._leases = {name: lease for name, lease in self._leases.items() if lease.until > now}
                if not self._leases:
                    self._thread = None
                    self._gpu.close()
                    return False
                wanted = min(lease.interval_seconds for lease in self._leases.values())
                due = started + next_interval(wanted, costs, self._budget_ratio)
                if now >= due:
                    return True
                last_until = max(lease.until for lease in self._leases.values())
                self._wake.wait(min(due, last_until) - now)

    def _take(self) -> SystemSample:
        spent = time.thread_time()
        gpus, note, gpu_cost = self._gpu.read()
        disks = self._disk.read(self._roots())
        host, network = self._host.read(), self._network.read()
        return SystemSample(
            taken_at=time.time(),
            gpus=gpus,
            gpu_note=note,
            host=host,
            disks=disks,
            network=network,
            cost_seconds=time.thread_time() - spent + gpu_cost,
        )


class _GuardedGpu:
    """Ask the GPU driver in a thread of its own: a call that hangs in the kernel blocks nobody.

    While one hangs no second one is begun, and the sample says so.
    """

    def __init__(self, reader: GpuReader, timeout_seconds: float) -> None:
        self._reader = reader
        self._timeout_seconds = timeout_seconds
        self._hanging: threading.Thread | None = None

    def read(self) -> tuple[tuple[GpuSample, ...] | None, str | None, float]:
        """Return the GPUs, a note in words, and the CPU seconds that reading cost."""
        if self._hanging is not None and self._hanging.is_alive():
            return None, "the GPU driver does not answer", 0.0
        self._hanging = None
        result: list[tuple[tuple[GpuSample, ...] | None, str | None, float]] = []
        thread = threading.Thread(target=lambda: result.append(self._ask()), name="comfystow-gpu", daemon=True)
        thread.start()
        thread.join(self._timeout_seconds)
        if not result:
            self._hanging = thread
            _log.warning(
                "the GPU driver has not answered for %.1f s; the rest is sampled without it", self._timeout_seconds
            )
            return None, "the GPU driver does not answer", 0.0
        return result[0]

    def _ask(self) -> tuple[tuple[GpuSample, ...] | None, str | None, float]:
        spent = time.thread_time()
        nvidia = self._reader.read()
        gpus = (nvidia or ()) + read_amd()
        note = self._reader.note if not gpus else None
        return (gpus or None), note, time.thread_time() - spent

    def close(self) -> None:
        """Let go of the driver, unless it hangs."""
        if self._hanging is None or not self._hanging.is_alive():
            self._reader.close()
