"""Metrics as Prometheus text, read at scrape time from values that the engine already has.

A registry of our own: the default one would collide with other extensions and with a second copy of this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..records.catalogue import BY_NAME, METRICS, PREFIX, MetricType
from ..records.sample import GpuSample, SystemSample

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric; `labels` in the catalogue's order."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class Counters:
    """What has been counted since the engine started."""

    download_bytes: int = 0
    download_errors: dict[str, int] = field(default_factory=dict)
    downloads_completed: dict[str, int] = field(default_factory=dict)

    def readings(self) -> Iterator[Reading]:
        """Give every counter."""
        yield Reading("download_bytes", self.download_bytes)
        for code, count in self.download_errors.items():
            yield Reading("download_errors", count, (code,))
        for verified, count in self.downloads_completed.items():
            yield Reading("downloads_completed", count, (verified,))


class Exposition:
    """Turns readings into the text that Prometheus scrapes."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        """`read` gives the values of the moment. Raises: ConfigError: prometheus_client is not installed."""
        try:
            from prometheus_client import CollectorRegistry
        except ImportError as err:
            raise ConfigError(
                "metrics are off: prometheus_client is not installed", hint="pip install prometheus_client"
            ) from err
        self.registry: CollectorRegistry = CollectorRegistry(auto_describe=False)
        self.registry.register(_Collector(read))

    def text(self) -> bytes:
        """Give one scrape."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)


class _Collector:
    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def describe(self) -> list[Metric]:
        """Say nothing beforehand: registering must not read."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give every family that has a value, in the catalogue's order."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        by_name: dict[str, list[Reading]] = {}
        for reading in self._read():
            by_name.setdefault(reading.name, []).append(reading)
        for metric in METRICS:
            kind = CounterMetricFamily if metric.type is MetricType.COUNTER else GaugeMetricFamily
            family = kind(PREFIX + metric.name, metric.help, labels=metric.labels)
            for reading in by_name.pop(metric.name, []):
                family.add_metric(list(reading.labels), reading.value)
            if family.samples:
                yield family
        if by_name:
            raise KeyError(f"not in the catalogue: {', '.join(by_name)}")


def sample_readings(sample: SystemSample) -> Iterator[Reading]:
    """Give the metrics of one sample of the machine; what is unknown is left out, never 0."""
    for gpu in sample.gpus or ():
        yield from _gpu_readings(gpu)
    host, network = sample.host, sample.network
    values: list[tuple[str, float | None, tuple[str, ...]]] = [
        ("cpu_utilization_ratio", host.cpu_utilization_ratio, ()),
        ("cpu_cores", host.cores, ()),
        ("memory_used_bytes", host.memory_used_bytes, ()),
        ("memory_limit_bytes", host.memory_limit_bytes, ()),
        ("oom_kills", host.oom_kills, ()),
        ("network_received_bytes_per_second", network.received_bytes_per_second, ()),
        ("network_sent_bytes_per_second", network.sent_bytes_per_second, ()),
        ("sample_cost_seconds", sample.cost_seconds, ()),
    ]
    for disk in sample.disks:
        values += [
            ("disk_total_bytes", disk.total_bytes, (disk.path,)),
            ("disk_free_bytes", disk.free_bytes, (disk.path,)),
            ("disk_read_bytes_per_second", disk.read_bytes_per_second, (disk.path,)),
            ("disk_write_bytes_per_second", disk.write_bytes_per_second, (disk.path,)),
        ]
    for name, value, labels in values:
        if value is not None:
            yield Reading(name, value, labels)


def _gpu_readings(gpu: GpuSample) -> Iterator[Reading]:
    labels = (gpu.uuid, gpu.name)
    for name in BY_NAME:
        if name.startswith("gpu_") and name != "gpu_throttled":
            value = getattr(gpu, name.removeprefix("gpu_"))
            if value is not None:
                yield Reading(name, value, labels)
    for reason in gpu.throttle_reasons or ():
        yield Reading("gpu_throttled", 1, (*labels, reason))
