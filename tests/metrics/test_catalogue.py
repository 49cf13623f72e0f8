"""The catalogue, its exposition and the rules made from it, judged by Prometheus' own tools."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from comfystow.core.metrics.exposition import Counters, Exposition, Reading, sample_readings
from comfystow.core.metrics.rules import alert_rules, scrape_config
from comfystow.core.records.catalogue import ALERTS, METRICS
from comfystow.core.records.sample import DiskSample, GpuSample, HostSample, NetworkSample, SystemSample

SAMPLE = SystemSample(
    taken_at=1.0,
    gpus=(
        GpuSample(
            uuid="GPU-a", index=0, name='Odd "name"\\', vendor="nvidia", utilization_ratio=0.94, memory_used_bytes=20,
            memory_total_bytes=24, temperature_celsius=71, power_watts=318.5, power_limit_watts=450,
            throttle_reasons=("power limit", "too hot (hardware)"),
        ),
        GpuSample(uuid="GPU-b", index=1, name="Old", vendor="nvidia"),
    ),
    host=HostSample(cores=2.5, cpu_utilization_ratio=0.5, memory_used_bytes=3, memory_limit_bytes=8, oom_kills=1),
    disks=(DiskSample(path="/workspace", total_bytes=10, free_bytes=4, read_bytes_per_second=1.0, write_bytes_per_second=2.0),),
    network=NetworkSample(received_bytes_per_second=5.0, sent_bytes_per_second=6.0),
    cost_seconds=0.001,
)  # fmt: skip


def everything() -> list[Reading]:
    counters = Counters(download_bytes=7, download_errors={"stalled": 1}, downloads_completed={"digest": 2})
    return [
        *sample_readings(SAMPLE),
        *counters.readings(),
        Reading("build_info", 1, ("0.1.0",)),
        Reading("downloads", 3, ("running",)),
        Reading("download_rate_bytes_per_second", 9.0),
        Reading("comfyui_queue_pending", 1, ("server",)),
        Reading("comfyui_queue_running", 1, ("server",)),
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


def test_rules_and_configuration_pass_promtool(tmp_path: Path) -> None:
    (tmp_path / "comfystow.rules.yml").write_text(alert_rules())
    (tmp_path / "prometheus.yml").write_text(scrape_config())
    for what, file in (("rules", "comfystow.rules.yml"), ("config", "prometheus.yml")):
        done = promtool("check", what, tmp_path / file)
        assert done.returncode == 0, done.stderr + done.stdout


def test_every_alert_names_only_metrics_of_the_catalogue() -> None:
    known = {metric.exposed_name for metric in METRICS}
    for alert in ALERTS:
        named = set(re.findall(r"comfystow_\w+", alert.query))
        assert named, alert.name
        assert named <= known, alert.name


#: alert -> what Prometheus scraped each minute, and the minute at which the alert must fire
TRACES: dict[str, tuple[dict[str, str], int]] = {
    "GpuHot": ({'comfystow_gpu_temperature_celsius{gpu="a"}': "90x20"}, 4),
    "GpuThrottled": ({'comfystow_gpu_throttled{gpu="a", reason="too hot (hardware)"}': "1x20"}, 7),
    "VramAlmostFull": (
        {'comfystow_gpu_memory_used_bytes{gpu="a"}': "96x20", 'comfystow_gpu_memory_total_bytes{gpu="a"}': "100x20"}, 7,
    ),
    "CpuBusy": ({"comfystow_cpu_utilization_ratio": "0.95x20"}, 7),
    "MemoryAlmostFull": ({"comfystow_memory_used_bytes": "90x20", "comfystow_memory_limit_bytes": "100x20"}, 4),
    "OomKill": ({"comfystow_oom_kills_total": "0x3 1x20"}, 6),
    "DiskLow": ({'comfystow_disk_free_bytes{path="/w"}': "5x20", 'comfystow_disk_total_bytes{path="/w"}': "100x20"}, 3),
    "DiskFullSoon": ({'comfystow_disk_free_bytes{path="/w"}': "1000-40x20"}, 14),
    "DownloadsStalled": ({'comfystow_downloads{state="running"}': "2x20", "comfystow_download_rate_bytes_per_second": "0x20"}, 7),
    "DownloadFailed": ({'comfystow_download_errors_total{code="stalled"}': "0x3 1x20"}, 6),
    "QueueStuck": (
        {'comfystow_comfyui_queue_running{server="s"}': "1x20", 'comfystow_gpu_utilization_ratio{gpu="a"}': "0x20"}, 12,
    ),
}  # fmt: skip


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert_fires_on_its_trace_and_not_on_a_quiet_machine(tmp_path: Path, alert) -> None:
    trace, minute = TRACES[alert.name]
    (tmp_path / "rules.yml").write_text(alert_rules())
    series = [
        {"series": name, "values": values if " " in values or "-" in values else values.replace("x", "+0x")}
        for name, values in trace.items()
    ]
    name = f"ComfyStow{alert.name}"
    expression = f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)'
    tests = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": 1}]}
                ],
            },
            {
                "interval": "1m",
                "input_series": [{"series": "up", "values": "1+0x20"}],
                "promql_expr_test": [
                    {"expr": expression, "eval_time": "15m", "exp_samples": [{"labels": "{}", "value": 0}]}
                ],
            },
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests))
    done = promtool("test", "rules", tmp_path / "test.yml")
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
