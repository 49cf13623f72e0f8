"""The compose file brought up for real: the pod, and a Prometheus that finds its numbers by the network of compose.

No registry can be asked here. Debian's Prometheus stands in for the image of the same tag, this machine's torch for the
one that the image leaves out, and Grafana, of which there is no package, is not started.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.ask import ask
from support.comfyui import free_port
from support.docker_engine import BASE_IMAGE, DockerEngine
from support.setup.workshop import CHECKOUT

pytestmark = pytest.mark.timeout(600)

FILE = CHECKOUT / "docker" / "docker-compose.yaml"
SERVICES = yaml.safe_load(FILE.read_text())["services"]
PROMETHEUS = """\
FROM {base}
COPY prometheus /bin/prometheus
ENTRYPOINT ["/bin/prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
"""
UP_SECONDS = 240.0


class Stack:
    """What compose has brought up; its ports are free ones of this machine instead of the usual."""

    def __init__(self, engine: DockerEngine, compose: Path, override: Path) -> None:
        self.ports = {port: free_port() for port in (8188, 8888, 8080, 9090)}
        self._engine = engine
        self._words = [compose, "--file", FILE, "--file", override, "--project-name", "stack"]

    def compose(self, *words: str, check: bool = True) -> str:
        """Run compose; give what it said."""
        done = self._engine.run(*self._words, *words, check=check)
        return done.stdout + done.stderr

    def until(self, look: Callable[[], Any], what: str) -> Any:
        """Wait until something is true, and give it."""
        deadline = time.monotonic() + UP_SECONDS
        while not (found := look()):
            assert time.monotonic() < deadline, f"{what} did not come\n{self.compose('logs', '--tail', '60')}"
            time.sleep(1.0)
        return found

    def ask(self, port: int, path: str) -> Any:
        """Ask a published port; None while nobody answers."""
        try:
            reply = ask("GET", f"http://127.0.0.1:{self.ports[port]}{path}")
        except OSError:
            return None
        return reply.json() if reply.status == 200 else None


@pytest.fixture(scope="module")
def stack(
    docker_engine: DockerEngine, compose: Path, image: str, torch_mount: list[str], tmp_path_factory: Any
) -> Iterator[Stack]:
    """Bring it up as docs say, with what stands in for registries and for torch."""
    folder = tmp_path_factory.mktemp("stack")
    program = shutil.which("prometheus")
    assert program is not None
    shutil.copy2(program, folder / "prometheus")
    (folder / "Dockerfile").write_text(PROMETHEUS.format(base=BASE_IMAGE))
    docker_engine.docker("build", "--tag", SERVICES["prometheus"]["image"], folder)
    docker_engine.docker("tag", image, "comfystow/pod:latest")
    override = folder / "override.yaml"
    made = Stack(docker_engine, compose, override)
    override.write_text(override_of(made.ports, torch_mount))
    try:
        made.compose("up", "--no-build", "--pull", "never", "--detach", "comfyui", "prometheus")
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "30", check=False)


def override_of(ports: dict[int, int], torch_mount: list[str]) -> str:
    """Give compose's own way of changing a file: a second one."""
    published = {
        name: [entry.split(":")[-1] for entry in SERVICES[name]["ports"]] for name in ("comfyui", "prometheus")
    }
    rows = {name: [f"127.0.0.1:{ports[int(port)]}:{port}" for port in inside] for name, inside in published.items()}
    return f"""\
services:
  comfyui:
    environment: {{COMFYSTOW_COMFYUI_ARGUMENTS: "--cpu --disable-api-nodes"}}
    volumes: {json.dumps(torch_mount[1::2])}
    ports: !override {json.dumps(rows["comfyui"])}
  prometheus:
    ports: !override {json.dumps(rows["prometheus"])}
"""


def test_prometheus_finds_the_pod_by_its_name_and_reads_its_services(stack: Stack) -> None:
    question = "/api/v1/query?query=comfystow_service_up"

    def services() -> dict[str, str]:
        rows = (stack.ask(9090, question) or {"data": {"result": []}})["data"]["result"]
        return {row["metric"]["service"]: row["value"][1] for row in rows}

    wanted = {"comfyui": "1", "jupyter": "1", "files": "1", "metrics": "1"}
    assert stack.until(lambda: services() == wanted and services(), "the numbers of the services") == wanted
    (target,) = stack.ask(9090, "/api/v1/targets")["data"]["activeTargets"]
    assert (target["scrapeUrl"], target["health"]) == ("http://comfyui:9188/metrics", "up")


def test_rules_of_the_monitoring_are_those_that_it_judges(stack: Stack) -> None:
    groups = stack.ask(9090, "/api/v1/rules")["data"]["groups"]
    names = {rule["name"] for group in groups for rule in group["rules"]}
    written = yaml.safe_load((CHECKOUT / "docker" / "monitoring" / "prometheus" / "comfystow.rules.yml").read_text())
    assert names == {rule.get("alert") or rule.get("record") for group in written["groups"] for rule in group["rules"]}


def test_a_browser_of_this_machine_reaches_comfyui_only_with_the_access_secret(stack: Stack) -> None:
    """Compose's network stands between: who comes through it is not of the container's own machine."""
    assert ask("GET", f"http://127.0.0.1:{stack.ports[8188]}/queue").status == 401
    assert ask("GET", f"http://127.0.0.1:{stack.ports[8888]}/api/status").status == 403


def test_down_ends_the_pod_in_order(stack: Stack) -> None:
    """The last test of this stack."""
    stack.compose("stop", "--timeout", "30")
    rows = [json.loads(line) for line in stack.compose("ps", "--all", "--format", "json").splitlines() if line]
    assert {row["Service"]: row["ExitCode"] for row in rows}["comfyui"] == 0, stack.compose("logs", "comfyui")
