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
from pathlib import Path
from typing import Protocol

from ..records.sample import DiskSample, GpuSample, HistoryPoint, SystemSample
from .disk import DiskReader
from .gpu_amdsmi import AmdReader
from .gpu_nvml import NvmlReader
from .guard import Guarded
from .history import History
from .host import HostReader
from .leases import Leases
from .network import NetworkReader

_log = logging.getLogger("comfystow.monitor")

#: Between the first reading, which primes the rates and pays for imports and the driver's start, and the first sample.
_FIRST_SECONDS = 0.25


class GpuReader(Protocol):
    """What reads the GPUs of one vendor; `read` may hang in a driver."""

    note: str | None

    def read(self) -> tuple[GpuSample, ...] | None:
        """Take one sample, None where there is no such driver."""

    def close(self) -> None:
        """Let go of the driver."""


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
        download_rate: Callable[[], float | None] = lambda: None,
        gpu: GpuReader | None = None,
        host: HostReader | None = None,
        gpu_timeout_seconds: float = 2.0,
        budget_ratio: float = 0.005,
    ) -> None:
        """`on_sample` and `download_rate` are called on the sampler's thread."""
        self._roots = roots
        self._on_sample = on_sample
        self._download_rate = download_rate
        self._gpu = gpu if gpu is not None else NvmlReader()
        self._amd = AmdReader()
        self._gpu_guard: Guarded[tuple[GpuSample, ...]] = Guarded("GPU driver", gpu_timeout_seconds)
        self._disk_guard: Guarded[tuple[DiskSample, ...]] = Guarded("disks", gpu_timeout_seconds)
        self._budget_ratio = budget_ratio
        self._host = host if host is not None else HostReader()
        self._disk, self._network = DiskReader(), NetworkReader()
        self._wake = threading.Condition()  # guards _leases, _thread, _closed, latest and history
        self._leases = Leases()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.latest: SystemSample | None = None
        self._history = History()

    def lease(self, holder: str, seconds: float, interval_seconds: float = 1.0) -> None:
        """Keep sampling for `seconds`; the same holder again renews or changes its lease."""
        with self._wake:
            if self._closed:
                return
            self._leases.take(holder, time.monotonic() + seconds, interval_seconds)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="comfystow-sampler", daemon=True)
                self._thread.start()
            self._wake.notify_all()

    def release(self, holder: str) -> None:
        """End a lease before its time."""
        with self._wake:
            self._leases.release(holder)
            self._wake.notify_all()

    @property
    def sampling(self) -> bool:
        """True while the thread lives."""
        return self._thread is not None

    @property
    def holders(self) -> tuple[str, ...]:
        """Who keeps the sampling going."""
        with self._wake:
            return self._leases.holders

    def history(self, taken_after: float = 0.0) -> list[HistoryPoint]:
        """Return what was kept since a time in seconds since the epoch."""
        with self._wake:
            return self._history.since(taken_after)

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
        costs: deque[float] = deque(maxlen=9)
        due_in: float | None = _FIRST_SECONDS
        self._prime()
        while self._wait(costs, due_in):
            due_in = None
            try:
                sample = self._take()
                self._keep(sample)
                self._on_sample(sample)
                costs.append(sample.cost_seconds or 0.0)
            except Exception:  # noqa: BLE001 - the top of the thread: one bad sample must not end them all
                _log.exception("a sample of the machine failed")

    def _prime(self) -> None:
        try:
            self._take()
        except Exception:  # noqa: BLE001 - as above
            _log.exception("the first reading of the machine failed")

    def _keep(self, sample: SystemSample) -> None:
        with self._wake:
            self.latest = sample
            self._history.add(HistoryPoint.of(sample))

    def _wait(self, costs: Sequence[float], due_in: float | None) -> bool:
        """Sleep until the next sample is due; false, and no thread any more, when the last lease has run out."""
        started = time.monotonic()
        while True:
            with self._wake:
                while self._leases.expire(now := time.monotonic()):
                    wanted = next_interval(self._leases.interval_seconds, costs, self._budget_ratio)
                    due = started + (due_in if due_in is not None else wanted)
                    if now >= due:
                        return True
                    self._wake.wait(min(due, self._leases.last_until) - now)
            self._gpu_guard.call(
                self._let_go
            )  # outside the lock: it may take long, and who takes a lease must not wait
            with self._wake:
                if not self._leases.expire(time.monotonic()):
                    self._thread = None
                    return False

    def _let_go(self) -> tuple[GpuSample, ...]:
        self._gpu.close()
        self._amd.close()
        return ()

    def _take(self) -> SystemSample:
        spent = time.thread_time()
        gpus = self._gpu_guard.call(self._read_gpus)
        roots = tuple(self._roots())
        disks = self._disk_guard.call(lambda: self._disk.read(roots))
        host, network = self._host.read(), self._network.read()
        return SystemSample(
            taken_at=time.time(),
            gpus=gpus or None,
            gpu_note=self._gpu_note(gpus),
            host=host,
            disks=disks or (),
            network=network,
            download_rate_bytes_per_second=self._download_rate(),
            cost_seconds=time.thread_time() - spent + self._gpu_guard.cost_seconds + self._disk_guard.cost_seconds,
        )

    def _read_gpus(self) -> tuple[GpuSample, ...]:
        return (self._gpu.read() or ()) + self._amd.read()

    def _gpu_note(self, gpus: tuple[GpuSample, ...] | None) -> str | None:
        if gpus:
            return None
        return "the GPU driver does not answer" if gpus is None else self._gpu.note
