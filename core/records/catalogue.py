"""The one catalogue of metrics and alerts: exposition, Prometheus rules, dashboard and in-process alerts read it.

Names follow Prometheus' practice: prefix, base units, `_total` for counters, `_ratio` from 0 to 1, labels of low
cardinality (no file names, no URLs).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "comfystow_"


class MetricType(StrEnum):
    """The kinds of Prometheus metrics that we expose."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric family; `name` is without the prefix, and for counters without `_total`."""

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...] = ()

    @property
    def exposed_name(self) -> str:
        """The name as a query writes it."""
        return PREFIX + self.name + ("_total" if self.type is MetricType.COUNTER else "")


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name=name, type=MetricType.GAUGE, help=text, labels=labels)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name=name, type=MetricType.COUNTER, help=text, labels=labels)


_GPU = ("gpu", "name")

METRICS: tuple[Metric, ...] = (
    _gauge("build_info", "Version of ComfyStow; the value is always 1.", "version"),
    _gauge("downloads", "Downloads in the queue by state.", "state"),
    _gauge("download_rate_bytes_per_second", "Bytes that all downloads receive in a second."),
    _counter("download_bytes", "Bytes received by downloads since the engine started."),
    _counter("download_errors", "Failed downloads since the engine started, by error code.", "code"),
    _counter(
        "downloads_completed", "Completed downloads since the engine started, by how far they are proven.", "verified"
    ),
    _gauge("gpu_utilization_ratio", "Share of time in which a kernel ran, as the driver tells it.", *_GPU),
    _gauge("gpu_memory_used_bytes", "GPU memory in use.", *_GPU),
    _gauge("gpu_memory_total_bytes", "GPU memory in all.", *_GPU),
    _gauge("gpu_temperature_celsius", "Temperature of the GPU.", *_GPU),
    _gauge("gpu_power_watts", "Power that the GPU draws.", *_GPU),
    _gauge("gpu_power_limit_watts", "Power limit that is enforced.", *_GPU),
    _gauge("gpu_throttled", "1 while the clocks are held down, by reason.", *_GPU, "reason"),
    _gauge("cpu_utilization_ratio", "Share of the cores that this container may use."),
    _gauge("cpu_cores", "Cores that this container may use."),
    _gauge("memory_used_bytes", "Memory in use by this container, without reclaimable cache."),
    _gauge("memory_limit_bytes", "Memory that this container may use."),
    _counter("oom_kills", "Processes of this container that the kernel killed for want of memory."),
    _gauge("disk_total_bytes", "Size of a file system that holds models.", "path"),
    _gauge("disk_free_bytes", "Free space of a file system that holds models.", "path"),
    _gauge("disk_read_bytes_per_second", "Read traffic of the disk under a file system.", "path"),
    _gauge("disk_write_bytes_per_second", "Write traffic of the disk under a file system.", "path"),
    _gauge("network_received_bytes_per_second", "Received traffic of all interfaces but loopback."),
    _gauge("network_sent_bytes_per_second", "Sent traffic of all interfaces but loopback."),
    _gauge("comfyui_queue_pending", "Prompts that wait in ComfyUI's queue.", "server"),
    _gauge("comfyui_queue_running", "Prompts that ComfyUI runs.", "server"),
    _gauge("sample_cost_seconds", "CPU seconds that the last sample of the machine cost."),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}


class Severity(StrEnum):
    """How soon somebody should look."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert: `expression` for Prometheus, where `{threshold}` is filled in; `sampled` ones need a lease.

    `for_seconds` is how long it must hold. In the process the same condition is judged by `core/alerts`.
    """

    name: str
    severity: Severity
    expression: str
    summary: str
    action: str
    threshold: float | None = None
    for_seconds: int = 0
    sampled: bool = True

    @property
    def query(self) -> str:
        """The expression with its threshold."""
        return self.expression.replace("{threshold}", f"{self.threshold:g}" if self.threshold is not None else "")


ALERTS: tuple[Alert, ...] = (
    Alert(
        name="GpuHot",
        severity=Severity.WARNING,
        expression="comfystow_gpu_temperature_celsius > {threshold}",
        threshold=85,
        for_seconds=120,
        summary="GPU {{ $labels.gpu }} is at {{ $value }} °C",
        action="check the fans, the room and the power limit",
    ),
    Alert(
        name="GpuThrottled",
        severity=Severity.WARNING,
        expression='comfystow_gpu_throttled{reason=~"too hot.*|hardware slowdown|power brake"} > 0',
        for_seconds=300,
        summary="GPU {{ $labels.gpu }} is held down: {{ $labels.reason }}",
        action="check cooling and power",
    ),
    Alert(
        name="VramAlmostFull",
        severity=Severity.WARNING,
        expression="comfystow_gpu_memory_used_bytes / comfystow_gpu_memory_total_bytes > {threshold}",
        threshold=0.95,
        for_seconds=300,
        summary="GPU {{ $labels.gpu }} has used {{ $value | humanizePercentage }} of its memory for 5 minutes",
        action="unload models, or take a smaller variant",
    ),
    Alert(
        name="CpuBusy",
        severity=Severity.WARNING,
        expression="comfystow_cpu_utilization_ratio > {threshold}",
        threshold=0.8,
        for_seconds=300,
        summary="the processor has been {{ $value | humanizePercentage }} busy for 5 minutes",
        action="look for what else runs here",
    ),
    Alert(
        name="MemoryAlmostFull",
        severity=Severity.WARNING,
        expression="comfystow_memory_used_bytes / comfystow_memory_limit_bytes > {threshold}",
        threshold=0.85,
        for_seconds=120,
        summary="{{ $value | humanizePercentage }} of the memory is in use",
        action="unload models before the kernel kills ComfyUI",
    ),
    Alert(
        name="OomKill",
        severity=Severity.CRITICAL,
        expression="increase(comfystow_oom_kills_total[10m]) > 0",
        summary="the kernel killed a process for want of memory",
        action="rent more memory, or load smaller models",
    ),
    Alert(
        name="DiskLow",
        severity=Severity.WARNING,
        expression="comfystow_disk_free_bytes / comfystow_disk_total_bytes < {threshold}",
        threshold=0.1,
        for_seconds=60,
        summary="{{ $labels.path }} has {{ $value | humanizePercentage }} free",
        action="remove what no workflow uses, or grow the volume",
    ),
    Alert(
        name="DiskFullSoon",
        severity=Severity.CRITICAL,
        expression="predict_linear(comfystow_disk_free_bytes[10m], 3600) < 0",
        for_seconds=60,
        summary="{{ $labels.path }} will be full within the hour",
        action="pause downloads, or free space",
    ),
    Alert(
        name="DownloadsStalled",
        severity=Severity.WARNING,
        expression='sum(comfystow_downloads{state="running"}) > 0 and comfystow_download_rate_bytes_per_second == 0',
        for_seconds=300,
        sampled=False,
        summary="downloads run, and no byte has come for 5 minutes",
        action="check the network and the hub's status page",
    ),
    Alert(
        name="DownloadFailed",
        severity=Severity.WARNING,
        expression="increase(comfystow_download_errors_total[10m]) > 0",
        sampled=False,
        summary="a download failed: {{ $labels.code }}",
        action="open the Downloads tab; each failure says what to do",
    ),
    Alert(
        name="QueueStuck",
        severity=Severity.WARNING,
        expression="comfystow_comfyui_queue_running > 0 and on() max(comfystow_gpu_utilization_ratio) == 0",
        for_seconds=600,
        summary="ComfyUI runs a prompt, and the GPU has been idle for 10 minutes",
        action="look at ComfyUI's log; interrupt the prompt",
    ),
)
