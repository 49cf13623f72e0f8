"""What a real engine serves of the machine, and the commands that show it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.core.config import Settings, load_settings
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.errors import StowError, UsageError
from support.engines import CHECKOUT, end_engines


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return os.environ | {
        "COMFYSTOW_RUN_DIR": str(tmp_path_factory.mktemp("r")),
        "COMFYSTOW_ENGINE_START_TIMEOUT_SECONDS": "60",
        "COMFYSTOW_ENGINE_IDLE_SECONDS": "60",
        "COMFYSTOW_SCRAPE_LEASE_SECONDS": "3",
        "NO_COLOR": "1",
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("installation")
    (root / "models").mkdir()
    (root / "state").mkdir()
    yield root
    end_engines(root / "state")


@pytest.fixture(scope="module")
def settings(environment: dict[str, str]) -> Settings:
    return load_settings(environment)


@pytest.fixture(scope="module")
def client(place: Path, settings: Settings, environment: dict[str, str]) -> Iterator[SyncEngineClient]:
    run(place, environment, "monitor", "--once")  # it starts the engine
    with SyncEngineClient(place / "state", settings, start=False) as opened:
        yield opened


def command(place: Path, *words: str) -> list[str]:
    where = ["--models-dir", str(place / "models"), "--state-dir", str(place / "state")]
    return [sys.executable, str(CHECKOUT), *words, *where]


def run(place: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(place, *words), env=environment, capture_output=True, text=True, timeout=90, check=False
    )


def until(condition, seconds: float = 30.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)
    return found


def test_lease_gives_a_sample_and_a_look_alone_does_not(client: SyncEngineClient) -> None:
    until(lambda: not client.call("GET", "/system")["sampling"])
    assert client.call("GET", "/system")["sampling"] is False
    view = client.call("POST", "/system/lease", {"seconds": 5, "interval_seconds": 1, "holder": "test"})
    assert view["sampling"] is True
    assert view["age_seconds"] < 5
    assert view["sample"]["host"]["memory_used_bytes"] > 0
    assert [disk["path"] for disk in view["sample"]["disks"]]
    until(lambda: not client.call("GET", "/system")["sampling"])


def test_history_is_columns_and_is_thinned_and_cut(client: SyncEngineClient) -> None:
    client.call("POST", "/system/lease", {"seconds": 5, "interval_seconds": 1})
    whole = until(lambda: len((found := client.call("GET", "/system/history"))["times"]) > 2 and found)
    assert len(whole["cpu_utilization_ratio"]) == len(whole["times"])
    assert len(client.call("GET", "/system/history?points=1")["times"]) == 1
    assert client.call("GET", f"/system/history?since={whole['times'][-1] + 3600}")["times"] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/system/lease", {"seconds": 0}),
        ("POST", "/system/lease", {"seconds": 1e9}),
        ("POST", "/system/lease", {"interval_seconds": -1}),
        ("POST", "/system/lease", {"holder": "x" * 1000}),
        ("POST", "/system/lease", {"seconds": "long"}),
        ("GET", "/system/history?since=yesterday", None),
        ("GET", "/system/history?since=nan", None),
        ("GET", "/system/history?points=0", None),
        ("GET", "/system/history?points=1e9", None),
    ],
)
def test_nonsense_is_refused_with_words(client: SyncEngineClient, method: str, path: str, body: object) -> None:
    with pytest.raises(UsageError) as caught:
        client.call(method, path, body)
    assert caught.value.message


def test_alerts_say_what_is_judged(client: SyncEngineClient) -> None:
    answer = client.call("GET", "/alerts")
    assert answer["alerts"] == []
    assert answer["webhook"] is None
    assert answer["problems"] == []
    assert "DownloadFailed" in {rule["name"] for rule in answer["rules"]}
    assert not [rule["name"] for rule in answer["rules"] if rule["sampled"]]


def test_unloading_is_not_the_engine_s_to_do(client: SyncEngineClient) -> None:
    with pytest.raises(StowError) as caught:
        client.call("POST", "/system/free", {})
    assert caught.value.code == "not_found_here"


def test_once_prints_lines_and_json_prints_the_sample(
    place: Path, client: SyncEngineClient, environment: dict[str, str]
) -> None:
    words = run(place, environment, "monitor", "--once").stdout
    assert "CPU" in words
    assert " of " in words
    view = json.loads(run(place, environment, "monitor", "--once", "--json").stdout)
    assert view["sample"]["host"]["cores"]


def test_live_json_is_one_object_a_line_and_ctrl_c_ends_it(
    place: Path, client: SyncEngineClient, environment: dict[str, str]
) -> None:
    process = subprocess.Popen(
        command(place, "monitor", "--json"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    views = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "Traceback" not in process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert views[0]["sample"]["taken_at"] <= views[1]["sample"]["taken_at"]


def test_live_view_draws_on_a_terminal(place: Path, client: SyncEngineClient, environment: dict[str, str]) -> None:
    import pty

    outer, inner = pty.openpty()
    process = subprocess.Popen(
        command(place, "monitor"), env=environment | {"TERM": "xterm", "COLUMNS": "100"}, stdout=inner, stderr=inner
    )
    os.close(inner)
    shown = b""
    while b"memory" not in shown or b"network" not in shown:
        shown += os.read(outer, 4096)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    os.close(outer)
    assert "━".encode() in shown


def test_metrics_prints_one_scrape_and_writes_the_files(
    place: Path, client: SyncEngineClient, environment: dict[str, str], tmp_path: Path
) -> None:
    text = run(place, environment, "metrics").stdout
    assert text.startswith("# HELP comfystow_build_info")
    assert "comfystow_memory_used_bytes" in text
    done = run(place, environment, "metrics", "--write", str(tmp_path), "--target", "here:1")
    assert str(tmp_path / "prometheus" / "prometheus.yml") in done.stdout
    assert "here:1" in (tmp_path / "prometheus" / "prometheus.yml").read_text()


@pytest.mark.parametrize(("address", "words"), [("nonsense", "is no address"), ("127.0.0.1:99999", "is no address")])
def test_address_that_is_none_is_wrong_use(
    place: Path, environment: dict[str, str], client: SyncEngineClient, address: str, words: str
) -> None:
    done = run(place, environment, "metrics", "--listen", address)
    assert done.returncode == 2
    assert words in done.stderr
