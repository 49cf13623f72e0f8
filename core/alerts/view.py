"""What callers see of the watch: `GET /system`, `/system/history`, `/alerts` and `/metrics` as plain data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ..metrics.exposition import Exposition
from ..monitor.trend import full_in_seconds
from ..records.json import to_json
from ..records.sample import GpuPoint, HistoryPoint
from .watch import Watch

_TREND_SECONDS = 300.0
MAX_POINTS = 2000


def system_view(watch: Watch) -> dict[str, Any]:
    """Return the latest sample and what stands beside it; `sample` is null before the first one."""
    sample = watch.sampler.latest
    rows = {(row.name, row.labels): row.value for row in watch.readings()}
    return {
        "sampling": watch.sampler.sampling,
        "age_seconds": None if sample is None else max(0.0, time.time() - sample.taken_at),
        "sample": to_json(sample),
        "disk_full_in_seconds": _disk_trends(watch),
        "hosts": [{"server_id": name, "state": to_json(state)} for name, state in watch.states().items()],
        "download_rate_bytes_per_second": rows.get(("download_rate_bytes_per_second", ())),
        "cost_per_hour": rows.get(("machine_cost_per_hour", ())),
        "alerts": [to_json(alert) for alert in watch.active if alert.firing],
    }


def _disk_trends(watch: Watch) -> dict[str, float]:
    """Map the disks that fill up to the seconds until they are full, as they went in the last minutes."""
    sample = watch.sampler.latest
    if sample is None:
        return {}
    points = watch.sampler.history(sample.taken_at - _TREND_SECONDS)
    trends = {}
    for place, disk in enumerate(sample.disks):
        free = [
            (point.taken_at, value)
            for point in points
            if len(point.disk_free_bytes) == len(sample.disks) and (value := point.disk_free_bytes[place]) is not None
        ]
        seconds = full_in_seconds(free)
        if seconds is not None:
            trends[disk.path] = seconds
    return trends


def history_view(points: Sequence[HistoryPoint], most: int = MAX_POINTS) -> dict[str, Any]:
    """Return columns: `times`, one list a number, and those of each GPU by its UUID; thinned to `most` moments."""
    step = max(1, -(-len(points) // max(1, most)))
    chosen = points[::-1][::step][::-1]  # the newest is always among them
    numbers = [
        field.name for field in fields(HistoryPoint) if field.name not in {"taken_at", "gpus", "disk_free_bytes"}
    ]
    uuids = dict.fromkeys(gpu.uuid for point in chosen for gpu in point.gpus)
    return {
        "times": [point.taken_at for point in chosen],
        **{name: [getattr(point, name) for point in chosen] for name in numbers},
        "gpus": {uuid: _gpu_columns(chosen, uuid) for uuid in uuids},
    }


def _gpu_columns(points: Sequence[HistoryPoint], uuid: str) -> dict[str, list[float | None]]:
    rows = [next((gpu for gpu in point.gpus if gpu.uuid == uuid), None) for point in points]
    numbers = [field.name for field in fields(GpuPoint) if field.name != "uuid"]
    return {name: [getattr(row, name) if row is not None else None for row in rows] for name in numbers}


def alerts_view(watch: Watch) -> dict[str, Any]:
    """Return what fires and what waits for its time, what is judged, and how the webhook does."""
    return {
        "alerts": [to_json(alert) for alert in watch.active],
        "rules": [
            {
                "name": rule.alert.name,
                "severity": rule.alert.severity.value,
                "threshold": rule.threshold,
                "for_seconds": rule.alert.for_seconds,
                "sampled": rule.alert.sampled,
            }
            for rule in watch.rules
        ],
        "problems": watch.problems,
        "webhook": None if watch.webhook is None else to_json(watch.webhook.status),
    }


def metrics_text(watch: Watch) -> bytes:
    """Return one scrape. Raises: ConfigError: prometheus_client is not installed."""
    return Exposition(watch.readings).text()
