"""What the dashboard shows: rows of panels, each a few queries over the catalogue's metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..records.catalogue import BY_NAME, MetricType

#: A rate over less than four scrapes would be empty whenever one is late.
_RATE = "5m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. `queries` maps what a curve is called (Grafana's `{{label}}` form) to its query."""

    title: str
    queries: dict[str, str]
    unit: str
    width: int = 8
    height: int = 7
    kind: str = "timeseries"
    most: float | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A headline and the panels under it."""

    title: str
    panels: tuple[Panel, ...]


def _of(name: str) -> str:
    """Return a metric of the catalogue as a query writes it; a counter as what it grows by in a second."""
    metric = BY_NAME[name]
    return f"rate({metric.exposed_name}[{_RATE}])" if metric.type is MetricType.COUNTER else metric.exposed_name


def _total(name: str) -> str:
    """Return a counter as it stands."""
    return BY_NAME[name].exposed_name


def _plain(title: str, name: str, legend: str, unit: str, **options: Any) -> Panel:
    return Panel(title=title, queries={legend: _of(name)}, unit=unit, description=BY_NAME[name].help, **options)


_GPU = "{{name}} {{gpu}}"
_FIRING = 'count(ALERTS{alertname=~"ComfyStow.*", alertstate="firing"}) or vector(0)'
_OPEN = 'comfystow_downloads{state!~"completed|cancelled"}'
_FAILED = "topk(5, increase(comfystow_download_errors_total[1h]))"

ROWS: tuple[Row, ...] = (
    Row(
        title="Now",
        panels=(
            Panel(
                title="GPU busy", queries={_GPU: _of("gpu_utilization_ratio")},
                unit="percentunit", width=6, height=5, kind="gauge", most=1,
            ),
            Panel(
                title="VRAM",
                queries={_GPU: f"{_of('gpu_memory_used_bytes')} / {_of('gpu_memory_total_bytes')}"},
                unit="percentunit", width=6, height=5, kind="gauge", most=1,
            ),
            Panel(
                title="Memory", queries={"memory": f"{_of('memory_used_bytes')} / {_of('memory_limit_bytes')}"},
                unit="percentunit", width=4, height=5, kind="gauge", most=1,
            ),
            Panel(
                title="Disk used",
                queries={"{{path}}": f"1 - {_of('disk_free_bytes')} / {_of('disk_total_bytes')}"},
                unit="percentunit", width=4, height=5, kind="gauge", most=1,
            ),
            Panel(title="Alerts", queries={"firing": _FIRING}, unit="none", width=4, height=5, kind="stat"),
        ),
    ),
    Row(
        title="GPU",
        panels=(
            _plain("Utilisation", "gpu_utilization_ratio", _GPU, "percentunit", most=1),
            Panel(
                title="Memory of the GPU",
                queries={f"{_GPU} used": _of("gpu_memory_used_bytes"), f"{_GPU} total": _of("gpu_memory_total_bytes")},
                unit="bytes",
            ),
            _plain("Temperature", "gpu_temperature_celsius", _GPU, "celsius"),
            Panel(
                title="Power",
                queries={f"{_GPU} draws": _of("gpu_power_watts"), f"{_GPU} limit": _of("gpu_power_limit_watts")},
                unit="watt",
            ),
            Panel(
                title="Clocks",
                queries={f"{_GPU} SM": _of("gpu_clock_sm_hertz"), f"{_GPU} memory": _of("gpu_clock_memory_hertz")},
                unit="hertz",
            ),
            _plain("Held down", "gpu_throttled", "{{gpu}} {{reason}}", "none"),
            _plain("Xid errors", "gpu_xid_errors", _GPU, "ops"),
            _plain("Memory errors", "gpu_ecc_uncorrected_errors", _GPU, "ops"),
            _plain("Fan", "gpu_fan_ratio", _GPU, "percentunit", most=1),
        ),
    ),
    Row(
        title="Machine",
        panels=(
            _plain("Processor", "cpu_utilization_ratio", "of {{job}}", "percentunit", most=1),
            Panel(
                title="Memory in use",
                queries={"used": _of("memory_used_bytes"), "limit": _of("memory_limit_bytes")},
                unit="bytes",
            ),
            _plain("Killed for want of memory", "oom_kills", "kills", "ops"),
            _plain("Free space", "disk_free_bytes", "{{path}}", "bytes"),
            Panel(
                title="Disk traffic",
                queries={
                    "{{path}} read": _of("disk_read_bytes_per_second"),
                    "{{path}} write": _of("disk_write_bytes_per_second"),
                },
                unit="Bps",
            ),
            Panel(
                title="Network",
                queries={
                    "received": _of("network_received_bytes_per_second"),
                    "sent": _of("network_sent_bytes_per_second"),
                },
                unit="Bps",
            ),
        ),
    ),
    Row(
        title="Downloads",
        panels=(
            _plain("Rate", "download_rate_bytes_per_second", "all downloads", "Bps"),
            Panel(title="Queue", queries={"{{state}}": _OPEN}, unit="none"),
            Panel(title="Failures in an hour, by cause", queries={"{{code}}": _FAILED}, unit="none"),
            Panel(title="Completed", queries={"{{verified}}": _total("downloads_completed")}, unit="none"),
            _plain("Received", "download_bytes", "bytes", "Bps"),
            Panel(title="Library", queries={"{{kind}}": _of("library_bytes")}, unit="bytes"),
        ),
    ),
    Row(
        title="ComfyUI",
        panels=(
            Panel(
                title="Prompts in the queue",
                queries={"running": _of("comfyui_queue_running"), "pending": _of("comfyui_queue_pending")},
                unit="none",
            ),
            Panel(
                title="Prompts a minute",
                queries={"{{outcome}}": f"{_of('comfyui_prompts')} * 60"},
                unit="none",
            ),
            Panel(
                title="Seconds a prompt",
                queries={"{{outcome}}": f"{_of('comfyui_prompt_seconds')} / {_of('comfyui_prompts')}"},
                unit="s",
            ),
            Panel(
                title="Memory of torch",
                queries={
                    "allocated": _of("comfyui_torch_allocated_bytes"),
                    "reserved": _of("comfyui_torch_reserved_bytes"),
                },
                unit="bytes",
            ),
            _plain("Loaded models", "comfyui_loaded_models", "models", "none"),
            _plain("Cost of a sample", "sample_cost_seconds", "CPU seconds", "s"),
        ),
    ),
    Row(
        title="Pod",
        panels=(
            _plain("Services that answer", "service_up", "{{service}}", "none", most=1),
            _plain("Time to answer", "service_response_seconds", "{{service}}", "s"),
            _plain("Time to start", "service_startup_seconds", "{{service}}", "s"),
            Panel(title="Restarts", queries={"{{service}}": _total("service_restarts")}, unit="none"),
            _plain("Idle for", "idle_seconds", "idle", "s"),
            _plain("Price of an hour", "machine_cost_per_hour", "price", "none"),
        ),
    ),
)  # fmt: skip
