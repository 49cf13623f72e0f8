"""What a machine measures each minute before each alert: Prometheus and the in-process judge must agree on it."""

from __future__ import annotations

from dataclasses import dataclass

MINUTES = 21

#: A series is the metric's exposed name without prefix, and its labels.
SeriesKey = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Trace:
    """Values by minute; `fires_at` is the first minute at which the alert fires."""

    series: dict[SeriesKey, list[float]]
    fires_at: int


def key(name: str, /, **labels: str) -> SeriesKey:
    return name, tuple(labels.items())


def flat(value: float) -> list[float]:
    return [value] * MINUTES


def step(at_minute: int, before: float, after: float) -> list[float]:
    return [before] * at_minute + [after] * (MINUTES - at_minute)


GPU = {"gpu": "GPU-a", "name": "Test"}

TRACES: dict[str, Trace] = {
    "GpuHot": Trace({key("gpu_temperature_celsius", **GPU): step(3, 60, 90)}, 5),
    "GpuThrottled": Trace({key("gpu_throttled", **GPU, reason="too hot (hardware)"): flat(1)}, 5),
    "VramAlmostFull": Trace(
        {key("gpu_memory_used_bytes", **GPU): flat(96), key("gpu_memory_total_bytes", **GPU): flat(100)}, 5
    ),
    "GpuXid": Trace({key("gpu_xid_errors_total", **GPU): step(4, 0, 1)}, 4),
    "CpuBusy": Trace({key("cpu_utilization_ratio"): step(2, 0.5, 0.95)}, 7),
    "MemoryAlmostFull": Trace({key("memory_used_bytes"): flat(90), key("memory_limit_bytes"): flat(100)}, 2),
    "OomKill": Trace({key("oom_kills_total"): step(4, 7, 8)}, 4),
    "DiskLow": Trace({key("disk_free_bytes", path="/w"): flat(5), key("disk_total_bytes", path="/w"): flat(100)}, 1),
    "DiskFullSoon": Trace({key("disk_free_bytes", path="/w"): [1000 - 40 * minute for minute in range(MINUTES)]}, 6),
    "DownloadsStalled": Trace(
        {key("downloads", state="running"): flat(2), key("download_rate_bytes_per_second"): step(3, 5e6, 0)}, 8
    ),
    "DownloadsSlow": Trace(
        {key("downloads", state="running"): flat(2), key("download_rate_bytes_per_second"): step(3, 5e6, 4e5)}, 8
    ),
    "DownloadFailed": Trace({key("download_errors_total", code="stalled"): step(4, 0, 1)}, 4),
    "QueueStuck": Trace(
        {key("comfyui_queue_running", server="s"): flat(1), key("gpu_utilization_ratio", **GPU): step(1, 0.5, 0)}, 11
    ),
    "ServiceDown": Trace({key("service_up", service="comfyui"): step(5, 1, 0)}, 6),
    "ServiceCrashLoop": Trace(
        {key("service_restarts_total", service="files"): [0, 0, 1, 2, 3, *[4] * (MINUTES - 5)]}, 4
    ),
    "ServiceSlow": Trace({key("service_response_seconds", service="comfyui"): step(2, 0.1, 9)}, 4),
    "SlowStart": Trace({key("service_startup_seconds", service="comfyui"): flat(300)}, 0),
    "PaidButIdle": Trace({key("idle_seconds"): [1500 + 60 * m for m in range(MINUTES)]}, 6),
    "IdleStopSoon": Trace({key("idle_stop_in_seconds"): [300 - 15 * m for m in range(MINUTES)]}, 0),
    "IdleStopFailed": Trace({key("idle_stop_failures_total"): step(3, 0, 1)}, 3),
}  # fmt: skip
