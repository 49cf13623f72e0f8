"""Metrics as Prometheus text, read at scrape time from values that the engine already has.

A registry of our own: the default one would collide with other extensions and with a second copy of this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..records.catalogue import METRICS, MetricType
from ..records.condition import PREFIX
from .reading import Reading

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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
