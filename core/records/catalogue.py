"""The one catalogue of metrics: exposition, Prometheus rules, dashboard and in-process alerts read it.

Names follow Prometheus' practice: prefix, base units, `_total` for counters, `_ratio` from 0 to 1, labels of low
cardinality (no file names, no URLs). The alerts stand beside it in `alert_catalogue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .condition import PREFIX

_COUNTER_SUFFIX = "_total"


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
        return PREFIX + self.name + (_COUNTER_SUFFIX if self.type is MetricType.COUNTER else "")


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
    _gauge("library_files", "Model files in the library by kind.", "kind"),
    _gauge("library_bytes", "Bytes of the model files in the library by kind.", "kind"),
    _gauge("gpu_utilization_ratio", "Share of time in which a kernel ran, as the driver tells it.", *_GPU),
    _gauge("gpu_memory_used_bytes", "GPU memory in use.", *_GPU),
    _gauge("gpu_memory_reserved_bytes", "GPU memory that the driver keeps for itself.", *_GPU),
    _gauge("gpu_memory_total_bytes", "GPU memory in all.", *_GPU),
    _gauge("gpu_temperature_celsius", "Temperature of the GPU.", *_GPU),
    _gauge("gpu_power_watts", "Power that the GPU draws.", *_GPU),
    _gauge("gpu_power_limit_watts", "Power limit that is enforced.", *_GPU),
    _gauge("gpu_clock_sm_hertz", "Clock of the GPU's multiprocessors.", *_GPU),
    _gauge("gpu_clock_memory_hertz", "Clock of the GPU's memory.", *_GPU),
    _gauge("gpu_fan_ratio", "Speed of the fan as a share of its most.", *_GPU),
    _gauge("gpu_throttled", "1 while the clocks are held down, by reason.", *_GPU, "reason"),
    _counter(
        "gpu_ecc_uncorrected_errors", "Memory errors that ECC could not correct, since the driver started.", *_GPU
    ),
    _counter("gpu_xid_errors", "Xid errors that the driver reported while it was watched.", *_GPU),
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
    _gauge("comfyui_loaded_models", "Models that ComfyUI holds in memory.", "server"),
    _gauge("comfyui_torch_allocated_bytes", "GPU memory that torch has given to tensors.", "server"),
    _gauge("comfyui_torch_reserved_bytes", "GPU memory that torch keeps, given out or not.", "server"),
    _counter("comfyui_prompts", "Prompts that ended since ComfyUI started, by outcome.", "server", "outcome"),
    _counter("comfyui_prompt_seconds", "Seconds that those prompts took, by outcome.", "server", "outcome"),
    _gauge("service_up", "1 while a service of the pod answers, 0 while it does not.", "service"),
    _counter("service_restarts", "Restarts of a service of the pod since its start.", "service"),
    _gauge("service_response_seconds", "Time that a service took to answer its last health check.", "service"),
    _gauge("service_startup_seconds", "Time from a service's start to its first answer.", "service"),
    _gauge("idle_seconds", "Time since anything was done on this machine, as the idle policy sees it."),
    _gauge("idle_stop_in_seconds", "Time until the idle policy stops this machine; only while it warns of that."),
    _gauge("machine_cost_per_hour", "Price of this machine for an hour, in the provider's currency."),
    _counter("idle_stop_failures", "Stops of an idle machine that the provider refused or did not carry out."),
    _gauge("sample_cost_seconds", "CPU seconds that the last sample of the machine cost."),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}


def metric_of(exposed_name: str) -> Metric:
    """Return the metric that a query's series names, prefix or not. Raises: KeyError."""
    name = exposed_name.removeprefix(PREFIX)
    return BY_NAME.get(name) or BY_NAME[name.removesuffix(_COUNTER_SUFFIX)]


class Severity(StrEnum):
    """How soon somebody should look."""

    WARNING = "warning"
    CRITICAL = "critical"
