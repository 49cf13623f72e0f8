"""The catalogue, its exposition and the rules made from it, judged by Prometheus' own tools."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from comfystow.core.metrics.exposition import Exposition
from comfystow.core.metrics.reading import Counters, Reading, host_readings, sample_readings
from comfystow.core.metrics.rules import alert_rules
from comfystow.core.records.alert_catalogue import ALERTS
from comfystow.core.records.catalogue import METRICS
from comfystow.core.records.sample import DiskSample, GpuSample, HostSample, NetworkSample, SystemSample
from comfystow.core.records.session import HostState, LoadedModel, PromptCount
from support.alert_traces import TRACES

SAMPLE = SystemSample(
    taken_at=1.0,
    gpus=(
        GpuSample(
            uuid="GPU-a", index=0, name='Odd "name"\\', vendor="nvidia", utilization_ratio=0.94, memory_used_bytes=20,
            memory_total_bytes=24, temperature_celsius=71, power_watts=318.5, power_limit_watts=450,
            throttle_reasons=("power limit", "too hot (hardware)"), memory_reserved_bytes=1, clock_sm_hertz=2.5e9,
            clock_memory_hertz=1e10, fan_ratio=0.3, ecc_uncorrected_errors=0, xid_errors=0,
        ),
        GpuSample(uuid="GPU-b", index=1, name="Old", vendor="nvidia"),
    ),
    host=HostSample(cores=2.5, cpu_utilization_ratio=0.5, memory_used_bytes=3, memory_limit_bytes=8, oom_kills=1),
    disks=(DiskSample(path="/workspace", total_bytes=10, free_bytes=4, read_bytes_per_second=1.0, write_bytes_per_second=2.0),),
    network=NetworkSample(received_bytes_per_second=5.0, sent_bytes_per_second=6.0),
    cost_seconds=0.001,
)  # fmt: skip


STATE = HostState(
    queue_pending=1, queue_running=1, torch_allocated_bytes=3, torch_reserved_bytes=4,
    loaded_models=(LoadedModel(name="Flux"),), prompts=(PromptCount(outcome="success", count=2, seconds=9.5),),
)  # fmt: skip


def everything() -> list[Reading]:
    counters = Counters(download_bytes=7, download_errors={"stalled": 1}, downloads_completed={"digest": 2})
    return [
        *sample_readings(SAMPLE),
        *counters.readings(),
        *host_readings({"server": STATE}),
        Reading("build_info", 1, ("0.1.0",)),
        Reading("downloads", 3, ("running",)),
        Reading("download_rate_bytes_per_second", 9.0),
        Reading("library_files", 2, ("loras",)),
        Reading("library_bytes", 2e9, ("loras",)),
        *(
            Reading(f"service_{name}", 1, ("comfyui",))
            for name in ("up", "restarts", "response_seconds", "startup_seconds")
        ),
        *(
            Reading(name, 1)
            for name in ("idle_seconds", "idle_stop_in_seconds", "machine_cost_per_hour", "idle_stop_failures")
        ),
    ]


def promtool(*arguments: str | Path, text: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["promtool", *map(str, arguments)], input=text, capture_output=True, timeout=60, check=False)


def test_prometheus_finds_no_fault_in_the_exposition() -> None:
    done = promtool("check", "metrics", text=Exposition(everything).text())
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_metric_of_the_catalogue_can_be_exposed() -> None:
    text = Exposition(everything).text().decode()
    for metric in METRICS:
        assert f"# HELP {metric.exposed_name} {metric.help}" in text, metric.name


def test_unknown_is_left_out_never_zero() -> None:
    text = Exposition(lambda: sample_readings(SAMPLE)).text().decode()
    assert 'comfystow_gpu_utilization_ratio{gpu="GPU-a",name="Odd \\"name\\"\\\\"} 0.94' in text
    assert "GPU-b" not in text


def test_reading_that_is_not_in_the_catalogue_is_a_defect() -> None:
    with pytest.raises(KeyError, match="surprise"):
        Exposition(lambda: [Reading("surprise", 1)]).text()


def test_every_alert_names_only_metrics_of_the_catalogue() -> None:
    known = {metric.exposed_name for metric in METRICS}
    for alert in ALERTS:
        named = set(re.findall(r"comfystow_\w+", alert.query))
        assert named, alert.name
        assert named <= known, alert.name


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_prometheus_fires_on_the_trace_and_not_before_nor_on_a_quiet_machine(tmp_path: Path, alert) -> None:
    trace = TRACES[alert.name]
    (tmp_path / "rules.yml").write_text(alert_rules())
    series = [
        {"series": written(name, labels), "values": " ".join(f"{value:g}" for value in values)}
        for (name, labels), values in trace.series.items()
    ]
    firing = f'count(ALERTS{{alertname="ComfyStow{alert.name}", alertstate="firing"}}) or vector(0)'

    def expect(minute: int, count: int) -> dict:
        return {"expr": firing, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": count}]}

    checks = [expect(trace.fires_at, 1)] + ([expect(trace.fires_at - 1, 0)] if trace.fires_at else [])
    quiet = [{"series": "up", "values": "1+0x20"}]
    tests = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {"interval": "1m", "input_series": series, "promql_expr_test": checks},
            {"interval": "1m", "input_series": quiet, "promql_expr_test": [expect(15, 0)]},
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests))
    done = promtool("test", "rules", tmp_path / "test.yml")
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def written(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    return f"comfystow_{name}{{{', '.join(f'{label}={value!r}' for label, value in labels)}}}".replace("'", '"')


def test_every_alert_has_a_trace() -> None:
    assert set(TRACES) == {alert.name for alert in ALERTS}


def test_only_events_are_judged_unless_asked_for() -> None:
    assert not [alert.name for alert in ALERTS if alert.on and alert.sampled]
