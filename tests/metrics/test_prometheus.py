"""Debian's own Prometheus scrapes a real engine: every query of dashboard and alerts is answered from it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from comfystow.core.config import load_settings
from comfystow.core.engine.installation import bare_layout
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.errors import StowError
from comfystow.core.metrics.files import monitoring_files
from comfystow.core.records.alert_catalogue import ALERTS
from comfystow.core.records.json import to_json
from comfystow.core.records.session import HostState, LoadedModel, PromptCount
from support.shelves import safetensors

TESTS = Path(__file__).resolve().parents[1]
SERVER = "comfyui-1"


def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> object:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as err:
        return err.read()
    except (OSError, ConnectionError):
        return None


@dataclass
class Scene:
    """A running engine, its exposition, and a Prometheus that scrapes it."""

    exposition: str
    prometheus: str
    client: SyncEngineClient
    models: Path

    def query(self, expression: str) -> list[dict]:
        text = get(f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        answer = json.loads(text or b'{"status": "none"}')
        assert answer["status"] == "success", (expression, answer)
        return answer["data"]["result"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    root = tmp_path_factory.mktemp("scene")
    driver, state = root / "driver", root / "state"
    driver.mkdir()
    state.mkdir()
    model = root / "models" / "loras" / "one.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(safetensors())
    os.utime(model, (1_700_000_000, 1_700_000_000))
    source = TESTS / "monitor" / "fake_nvml.c"
    library = driver / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-DNEW_DRIVER", "-o", library, source], check=True)
    env = os.environ | {
        "FAKE_NVML": "two",
        "LD_LIBRARY_PATH": str(driver),
        "COMFYSTOW_RUN_DIR": str(tmp_path_factory.mktemp("r")),
        "COMFYSTOW_ENGINE_START_TIMEOUT_SECONDS": "60",
    }
    settings = load_settings(env)
    with ExitStack() as stack:

        def start(*command: str | Path) -> None:
            log = stack.enter_context((root / f"{Path(command[0]).name}.log").open("ab"))
            process = subprocess.Popen(list(map(str, command)), env=env, stdout=log, stderr=log, cwd=root)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)

        start(sys.executable, TESTS / "metrics" / "engine_in_a_pod.py", TESTS.parent, state)
        client = stack.enter_context(SyncEngineClient(state, settings, start=False))
        until(lambda: answers(client), "the engine answers")
        tell_as_comfyui(client, root / "models")
        port = free_port()
        address = f"127.0.0.1:{port}"
        where = ["--models-dir", root / "models", "--state-dir", state]
        start(sys.executable, TESTS.parent, "metrics", "--listen", address, *where)
        until(lambda: get(f"http://{address}/metrics"), "the exposition answers")
        prometheus = start_prometheus(root, address, start)
        yield Scene(f"http://{address}/metrics", prometheus, client, root / "models")


def answers(client: SyncEngineClient) -> bool:
    try:
        return client.request("GET", "/engine")[0] == 200
    except StowError:
        return False


def tell_as_comfyui(client: SyncEngineClient, models: Path) -> None:
    layout = to_json(bare_layout(models))
    client.introduce(lambda: {"server_id": SERVER, "url": "http://127.0.0.1:8188", "layout": layout})
    client.close()  # the next request introduces it
    state = HostState(
        queue_pending=2, queue_running=1, torch_allocated_bytes=5, torch_reserved_bytes=6,
        loaded_models=(LoadedModel(name="Flux", vram_bytes=5),),
        prompts=(PromptCount(outcome="success", count=3, seconds=12.5),),
    )  # fmt: skip
    client.call("POST", "/host/state", to_json(state))


def start_prometheus(root: Path, target: str, start: Callable[..., None]) -> str:
    files = monitoring_files(target)
    config = yaml.safe_load(files["prometheus/prometheus.yml"])
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}  # a test has no quarter of a minute
    (root / "prometheus.yml").write_text(yaml.safe_dump(config))
    (root / "comfystow.rules.yml").write_text(files["prometheus/comfystow.rules.yml"])
    port = free_port()
    start(
        "prometheus", f"--config.file={root / 'prometheus.yml'}", f"--storage.tsdb.path={root / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    until(lambda: get(f"{url}/-/ready") == b"Prometheus Server is Ready.\n", "Prometheus is ready")
    return url


def keep_telling(scene: Scene) -> None:
    """ComfyUI speaks every few seconds; what it said goes stale."""
    tell_as_comfyui(scene.client, scene.models)


def test_every_query_of_the_dashboard_returns_data(scene: Scene) -> None:
    dashboard = json.loads(monitoring_files()["grafana/dashboards/comfystow.json"])
    wanted = {target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])}
    assert len(wanted) > 30

    def missing() -> set[str]:
        keep_telling(scene)
        return {expression for expression in wanted if not scene.query(expression)}

    deadline = time.monotonic() + 60
    while left := missing():
        assert time.monotonic() < deadline, left
        time.sleep(1)


def test_rules_are_loaded_and_none_of_them_fails(scene: Scene) -> None:
    def rules() -> list[dict]:
        groups = json.loads(get(f"{scene.prometheus}/api/v1/rules"))["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    until(lambda: all(rule["health"] == "ok" for rule in rules()), "every rule has been evaluated")
    assert {rule["name"] for rule in rules()} == {f"ComfyStow{alert.name}" for alert in ALERTS}


def test_scraped_numbers_are_those_of_the_sample(scene: Scene) -> None:
    (_, second) = sorted(scene.query("comfystow_gpu_temperature_celsius"), key=lambda row: row["metric"]["gpu"])
    assert second["value"][1] == "72"
    assert second["metric"]["gpu"] == "GPU-aaaa-2"
    view = scene.client.call("GET", "/system")
    assert [gpu["temperature_celsius"] for gpu in view["sample"]["gpus"]] == [71, 72]
    assert [gpu["fan_ratio"] for gpu in view["sample"]["gpus"]] == [0.3, 0.3]


def test_throttled_gpu_waits_for_its_alert_in_prometheus(scene: Scene) -> None:
    def pending() -> list[dict]:
        alerts = json.loads(get(f"{scene.prometheus}/api/v1/alerts"))["data"]["alerts"]
        return [alert for alert in alerts if alert["labels"]["alertname"] == "ComfyStowGpuThrottled"]

    (first, *_) = until(pending, "the alert is pending")
    assert first["labels"]["reason"] == "too hot (hardware)"
    assert first["annotations"]["summary"].endswith("too hot (hardware)")


def test_a_scrape_keeps_the_machine_sampled_and_nothing_else_does(scene: Scene) -> None:
    assert scene.client.call("GET", "/system")["sampling"] is True
    text = get(scene.exposition).decode()
    assert re.search(r'comfystow_comfyui_queue_pending\{server="comfyui-1"\} 2\.0|comfystow_memory_used_bytes', text)
    assert get(scene.exposition.replace("/metrics", "/other")) == b"only /metrics is here\n"
