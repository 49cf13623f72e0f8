"""The one catalogue of alerts: Prometheus' rules, the in-process alerts and the documentation read it."""

from __future__ import annotations

from dataclasses import dataclass

from .catalogue import Severity
from .condition import Condition, Forecast, Growth, Highest, Series, Share, Test

_TEN_MINUTES = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert; `summary` takes `{{ $labels.x }}` and `{{ $value }}` as Prometheus' templates do.

    `for_seconds` is how long its condition must hold. `sampled` ones read samples of the machine, so they keep it
    sampled when they are on; `on` tells whether they are judged in the process unless a setting says otherwise.
    """

    name: str
    severity: Severity
    condition: Condition
    summary: str
    action: str
    threshold: float | None = None
    for_seconds: int = 0
    sampled: bool = True
    on: bool = False

    @property
    def query(self) -> str:
        """The condition as a Prometheus query."""
        return self.condition.promql(self.threshold)


ALERTS: tuple[Alert, ...] = (
    Alert(
        name="GpuHot",
        severity=Severity.WARNING,
        condition=Condition(Test(Series("gpu_temperature_celsius"), ">")),
        threshold=85,
        for_seconds=120,
        summary="GPU {{ $labels.gpu }} is at {{ $value }} °C",
        action="check the fans, the room and the power limit",
    ),
    Alert(
        name="GpuThrottled",
        severity=Severity.WARNING,
        condition=Condition(
            Test(
                Series(
                    "gpu_throttled",
                    "reason",
                    ("too hot (software)", "too hot (hardware)", "hardware slowdown", "power brake"),
                ),
                ">",
                0,
            )
        ),
        for_seconds=300,
        summary="GPU {{ $labels.gpu }} is held down: {{ $labels.reason }}",
        action="check cooling and power",
    ),
    Alert(
        name="VramAlmostFull",
        severity=Severity.WARNING,
        condition=Condition(Test(Share(Series("gpu_memory_used_bytes"), Series("gpu_memory_total_bytes")), ">")),
        threshold=0.95,
        for_seconds=300,
        summary="GPU {{ $labels.gpu }} has used {{ $value | humanizePercentage }} of its memory for 5 minutes",
        action="unload models, or take a smaller variant",
    ),
    Alert(
        name="GpuXid",
        severity=Severity.CRITICAL,
        condition=Condition(Test(Growth(Series("gpu_xid_errors_total"), _TEN_MINUTES), ">", 0)),
        summary="GPU {{ $labels.gpu }} reported an Xid error",
        action="look the code up in NVIDIA's Xid catalogue; `dmesg` has it, and 79 means that the GPU fell off the bus",
    ),
    Alert(
        name="CpuBusy",
        severity=Severity.WARNING,
        condition=Condition(Test(Series("cpu_utilization_ratio"), ">")),
        threshold=0.8,
        for_seconds=300,
        summary="the processor has been {{ $value | humanizePercentage }} busy for 5 minutes",
        action="look for what else runs here",
    ),
    Alert(
        name="MemoryAlmostFull",
        severity=Severity.WARNING,
        condition=Condition(Test(Share(Series("memory_used_bytes"), Series("memory_limit_bytes")), ">")),
        threshold=0.85,
        for_seconds=120,
        summary="{{ $value | humanizePercentage }} of the memory is in use",
        action="unload models before the kernel kills ComfyUI",
    ),
    Alert(
        name="OomKill",
        severity=Severity.CRITICAL,
        condition=Condition(Test(Growth(Series("oom_kills_total"), _TEN_MINUTES), ">", 0)),
        summary="the kernel killed a process for want of memory",
        action="rent more memory, or load smaller models",
    ),
    Alert(
        name="DiskLow",
        severity=Severity.WARNING,
        condition=Condition(Test(Share(Series("disk_free_bytes"), Series("disk_total_bytes")), "<")),
        threshold=0.1,
        for_seconds=60,
        summary="{{ $labels.path }} has {{ $value | humanizePercentage }} free",
        action="remove what no workflow uses, or grow the volume",
    ),
    Alert(
        name="DiskFullSoon",
        severity=Severity.CRITICAL,
        condition=Condition(Test(Forecast(Series("disk_free_bytes"), _TEN_MINUTES, 3600), "<", 0)),
        for_seconds=300,  # a download takes its whole space at once; that is a step, and no trend
        summary="{{ $labels.path }} will be full within the hour",
        action="pause downloads, or free space",
    ),
    Alert(
        name="DownloadsStalled",
        severity=Severity.WARNING,
        condition=Condition(
            Test(Series("downloads", "state", ("running",)), ">", 0),
            while_also=Test(Series("download_rate_bytes_per_second"), "==", 0),
        ),
        for_seconds=300,
        sampled=False,
        on=True,
        summary="{{ $value }} downloads run, and no byte has come for 5 minutes",
        action="check the network and the hub's status page",
    ),
    Alert(
        name="DownloadsSlow",
        severity=Severity.WARNING,
        condition=Condition(
            Test(Series("download_rate_bytes_per_second"), "<"),
            while_also=Test(Series("downloads", "state", ("running",)), ">", 0),
        ),
        threshold=1e6,
        for_seconds=300,
        sampled=False,
        summary="downloads come at {{ $value }} bytes a second",
        action="check the network, the limit in the settings, and the hub's status page",
    ),
    Alert(
        name="DownloadFailed",
        severity=Severity.WARNING,
        condition=Condition(Test(Growth(Series("download_errors_total"), _TEN_MINUTES), ">", 0)),
        sampled=False,
        on=True,
        summary="a download failed: {{ $labels.code }}",
        action="open the Downloads tab; each failure says what to do",
    ),
    Alert(
        name="QueueStuck",
        severity=Severity.WARNING,
        condition=Condition(
            Test(Series("comfyui_queue_running"), ">", 0),
            while_also=Test(Highest(Series("gpu_utilization_ratio")), "==", 0),
        ),
        for_seconds=600,
        summary="ComfyUI runs a prompt, and the GPU has been idle for 10 minutes",
        action="look at ComfyUI's log; interrupt the prompt",
    ),
    Alert(
        name="ServiceDown",
        severity=Severity.CRITICAL,
        condition=Condition(Test(Series("service_up"), "==", 0)),
        for_seconds=60,
        sampled=False,
        on=True,
        summary="{{ $labels.service }} does not answer",
        action="look at its log; `comfystow pod doctor` says what it needs",
    ),
    Alert(
        name="ServiceCrashLoop",
        severity=Severity.CRITICAL,
        condition=Condition(Test(Growth(Series("service_restarts_total"), _TEN_MINUTES), ">")),
        threshold=2,
        sampled=False,
        on=True,
        summary="{{ $labels.service }} starts again and again",
        action="look at its log; the last lines before the end say why",
    ),
    Alert(
        name="ServiceSlow",
        severity=Severity.WARNING,
        condition=Condition(Test(Series("service_response_seconds"), ">")),
        threshold=5,
        for_seconds=120,
        sampled=False,
        summary="{{ $labels.service }} takes {{ $value }} s to answer",
        action="look at the processor and the memory",
    ),
    Alert(
        name="SlowStart",
        severity=Severity.WARNING,
        condition=Condition(Test(Series("service_startup_seconds"), ">")),
        threshold=120,
        sampled=False,
        summary="{{ $labels.service }} took {{ $value }} s to start",
        action="look for custom nodes that install or download at start",
    ),
    Alert(
        name="PaidButIdle",
        severity=Severity.WARNING,
        # Unknown is no activity here: what cannot be told for so long is told at least. Only a machine that is looked
        # after has this number, whether or not its provider tells a price.
        condition=Condition(Test(Series("idle_seconds"), ">")),
        threshold=1800,
        sampled=False,
        on=True,
        summary="this machine costs money, and nothing is known to be done on it for {{ $value | humanizeDuration }}",
        action="stop it, or let the idle policy do it",
    ),
    Alert(
        name="IdleStopSoon",
        severity=Severity.WARNING,
        condition=Condition(Test(Series("idle_stop_in_seconds"), ">", -1)),
        sampled=False,
        on=True,
        summary="this machine is stopped in {{ $value | humanizeDuration }}: nothing is done on it",
        action="click Keep alive in the Pod tab, or use it",
    ),
    Alert(
        name="IdleStopFailed",
        severity=Severity.CRITICAL,
        condition=Condition(Test(Growth(Series("idle_stop_failures_total"), 3600), ">", 0)),
        sampled=False,
        on=True,
        summary="the machine is idle, and stopping it failed",
        action="stop it by hand in the provider's console; it goes on costing money",
    ),
)

ALERTS_BY_NAME: dict[str, Alert] = {alert.name: alert for alert in ALERTS}
