"""What is made for Prometheus and Grafana: judged by promtool, and by the rules of Grafana's dashboard model."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path

import yaml
from comfystow.core.metrics.files import monitoring_files, write_files
from comfystow.core.records.catalogue import METRICS

FILES = monitoring_files()
DASHBOARD = json.loads(FILES["grafana/dashboards/comfystow.json"])
PANELS = DASHBOARD["panels"]


def test_prometheus_accepts_configuration_and_rules(tmp_path: Path) -> None:
    write_files(tmp_path)
    for what, name in (("config", "prometheus.yml"), ("rules", "comfystow.rules.yml")):
        file = tmp_path / "prometheus" / name
        done = subprocess.run(
            ["promtool", "check", what, file], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_configuration_scrapes_the_given_target_where_the_metrics_are() -> None:
    config = yaml.safe_load(monitoring_files("pod:9188")["prometheus/prometheus.yml"])
    (job,) = config["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert job["static_configs"] == [{"targets": ["pod:9188"]}]


def test_dashboard_has_what_grafana_needs() -> None:
    assert DASHBOARD["uid"] == "comfystow"
    assert isinstance(DASHBOARD["schemaVersion"], int)
    assert {"title", "time", "templating", "panels", "refresh"} <= set(DASHBOARD)
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    for panel in PANELS:
        assert panel["type"] in {"row", "timeseries", "gauge", "stat"}
        if panel["type"] != "row":
            assert panel["targets"], panel["title"]
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            assert {source["uid"] for source in sources} == {f"${{{variable['name']}}}"}


def test_ids_are_unique_and_every_target_has_its_letter() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)
    for panel in PANELS:
        letters = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(letters)) == len(letters)


def test_panels_lie_on_the_grid_and_do_not_overlap() -> None:
    def overlap(a: dict, b: dict) -> bool:
        across = a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"]
        return across and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]

    places = {panel["title"]: panel["gridPos"] for panel in PANELS}
    for title, place in places.items():
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, title
    for (first, a), (second, b) in combinations(places.items(), 2):
        assert not overlap(a, b), f"{first} and {second}"


def test_dashboard_asks_for_metrics_that_exist_and_leaves_none_out() -> None:
    queries = " ".join(target["expr"] for panel in PANELS for target in panel.get("targets", []))
    asked = set(re.findall(r"comfystow_\w+", queries))
    known = {metric.exposed_name for metric in METRICS}
    assert asked <= known
    not_drawn = {"comfystow_build_info", "comfystow_cpu_cores", "comfystow_library_files"}
    not_drawn |= {"comfystow_gpu_memory_reserved_bytes"}
    not_drawn |= {"comfystow_idle_stop_failures_total", "comfystow_idle_stop_in_seconds"}
    assert known - asked == not_drawn


def test_provisioning_names_the_folder_and_the_source() -> None:
    (source,) = yaml.safe_load(FILES["grafana/provisioning/datasources/prometheus.yml"])["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    (provider,) = yaml.safe_load(FILES["grafana/provisioning/dashboards/comfystow.yml"])["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"].startswith("/")
