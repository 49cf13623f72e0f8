"""The compose files: what they name is there, and fits the image, the metrics and the monitoring files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from comfystow.core.config import Settings
from comfystow.core.metrics.files import DEFAULT_TARGET, monitoring_files
from support.setup.workshop import CHECKOUT

FOLDER = CHECKOUT / "docker"
FILES = ("docker-compose.yaml", "docker-compose.gpu.yaml")
COMPOSE = yaml.safe_load((FOLDER / FILES[0]).read_text())
SERVICES = COMPOSE["services"]

#: Keys of the Compose specification that these files may use, with the type that each has there.
KEYS = {
    "image": str,
    "build": dict,
    "environment": dict,
    "volumes": list,
    "ports": list,
    "stop_grace_period": str,
    "restart": str,
    "depends_on": list,
    "deploy": dict,
}


@pytest.mark.parametrize("name", FILES)
def test_every_key_is_one_of_the_specification(name: str) -> None:
    data = yaml.safe_load((FOLDER / name).read_text())
    assert set(data) <= {"name", "services", "volumes"}
    for service, entry in data["services"].items():
        for key, value in entry.items():
            assert isinstance(value, KEYS[key]), (service, key)
        # A number or a truth value would reach the container as YAML's guess of it.
        assert all(isinstance(value, str) for value in entry.get("environment", {}).values()), service


def test_compose_itself_takes_them(compose: Path) -> None:
    words = [word for name in FILES for word in ("--file", str(FOLDER / name))]
    done = subprocess.run([compose, *words, "config", "--quiet"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def mounts_of(service: str) -> dict[str, str]:
    pairs = [entry.split(":")[:2] for entry in SERVICES[service].get("volumes", [])]
    return {target: source for source, target in pairs}


def test_what_is_mounted_is_there() -> None:
    for service in SERVICES:
        for source in mounts_of(service).values():
            if source.startswith("."):
                assert (FOLDER / source).exists(), source
            else:
                assert source in COMPOSE["volumes"], source


def test_nothing_is_open_to_other_machines() -> None:
    for entry in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in entry["ports"])


def test_foreign_images_have_a_version() -> None:
    for name in ("prometheus", "grafana"):
        assert re.search(r":v?\d+\.\d+\.\d+$", SERVICES[name]["image"])


def test_grafana_finds_its_files_and_lets_nobody_in() -> None:
    mounts = mounts_of("grafana")
    (provider,) = yaml.safe_load(monitoring_files()["grafana/provisioning/dashboards/comfystow.yml"])["providers"]
    assert mounts[provider["options"]["path"]] == "./monitoring/grafana/dashboards"
    (source,) = yaml.safe_load(monitoring_files()["grafana/provisioning/datasources/prometheus.yml"])["datasources"]
    assert source["url"] == "http://prometheus:9090"
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"


def test_prometheus_scrapes_what_the_pod_serves() -> None:
    (row,) = yaml.safe_load((FOLDER / "services.yaml").read_text())["services"]
    host, port = DEFAULT_TARGET.split(":")
    assert host in SERVICES
    assert str(row["port"]) == port
    assert row["command"][-1] == f"0.0.0.0:{port}"
    target = SERVICES["comfyui"]["environment"]["COMFYSTOW_SERVICES_FILE"]
    assert mounts_of("comfyui")[target] == "./services.yaml"
    assert not any(port in entry for entry in SERVICES["comfyui"]["ports"])  # it has no password


def test_settings_that_are_passed_on_exist() -> None:
    known = {f"COMFYSTOW_{name.upper()}" for name in Settings.__dataclass_fields__}
    passed = {name for name in SERVICES["comfyui"]["environment"] if name.startswith("COMFYSTOW_")}
    assert passed <= known


def test_arguments_of_the_build_exist() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    for name in SERVICES["comfyui"]["build"]["args"]:
        assert f"ARG {name}=" in dockerfile
    assert Path(FOLDER, SERVICES["comfyui"]["build"]["context"]).resolve() == CHECKOUT


def test_the_tag_of_the_image_is_what_one_goes_back_to() -> None:
    assert SERVICES["comfyui"]["image"] == "comfystow/pod:${COMFYSTOW_TAG:-latest}"
    assert "COMFYSTOW_TAG=1 docker compose" in (FOLDER / "README.md").read_text()
