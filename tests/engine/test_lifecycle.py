"""How an engine comes, stays and goes."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from comfystow.core.config import Settings, load_settings
from comfystow.core.engine.info import read_info
from comfystow.core.engine.rundir import RunDir, run_dirs
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.errors import EngineError
from support.engines import CHECKOUT, kill, living_engines, wait_for

OpenClient = Callable[..., SyncEngineClient]


@pytest.fixture
def place(state_dir: Path, run_dir: Path) -> RunDir:
    return run_dirs(state_dir, str(run_dir))[0]


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_is_published_is_private(open_client: OpenClient, place: RunDir) -> None:
    status = open_client().call("GET", "/engine")
    info = read_info(place.info)
    assert info is not None
    assert info.pid == status["pid"]
    assert _mode(place.info) == 0o600
    assert _mode(place.path) == _mode(place.path.parent) == 0o700


def test_engine_has_a_session_of_its_own_and_outlives_its_starter(state_dir: Path, place: RunDir) -> None:
    code = (
        f"import runpy, sys; sys.argv = ['x', 'downloads', '--state-dir', {str(state_dir)!r}];"
        f"runpy.run_path({str(CHECKOUT)!r}, run_name='__main__')"
    )
    starter = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert starter.returncode == 0, starter.stderr
    info = read_info(place.info)
    assert info is not None
    assert os.getsid(info.pid) == info.pid


def test_engine_ends_by_itself_when_nobody_is_there(
    open_client: OpenClient, state_dir: Path, place: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYSTOW_ENGINE_IDLE_SECONDS", "0.5")
    client = open_client()
    client.call("GET", "/engine")
    wait_for(lambda: not living_engines(state_dir))
    assert not place.info.exists()
    assert not place.socket.exists()
    assert "leaving: idle" in (state_dir / "engine.log").read_text()
    first = client.started_engine
    assert first
    assert client.call("GET", "/downloads") == {"downloads": []}  # the next request starts the next one


def test_engine_stays_while_somebody_watches(
    open_client: OpenClient, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYSTOW_ENGINE_IDLE_SECONDS", "0.2")
    events = open_client().events()
    topics = [next(events)["topic"] for _ in range(3)]
    assert topics == ["hello", "heartbeat", "heartbeat"]  # many idle times long
    assert len(living_engines(state_dir)) == 1
    events.close()
    wait_for(lambda: not living_engines(state_dir))


def test_sigterm_lets_it_journal_and_go(open_client: OpenClient, state_dir: Path, place: RunDir) -> None:
    pid = open_client().call("GET", "/engine")["pid"]
    kill(pid, signal.SIGTERM)
    wait_for(lambda: not living_engines(state_dir))
    assert not place.info.exists()
    assert not place.socket.exists()
    assert (state_dir / "engine.log").read_text().rstrip().endswith("engine ended")


def test_next_engine_follows_a_killed_one(open_client: OpenClient, place: RunDir) -> None:
    client = open_client()
    first = client.call("GET", "/engine")["pid"]
    kill(first)
    assert place.socket.exists()  # stale, and nobody but the next engine may remove it
    second = client.call("GET", "/engine")["pid"]
    assert second != first


def test_stop_waits_for_the_end(open_client: OpenClient, place: RunDir) -> None:
    client = open_client()
    client.call("GET", "/engine")
    assert client.stop(reason="test")
    assert not place.socket.exists()


def test_stop_if_idle_leaves_an_engine_that_others_watch(open_client: OpenClient, state_dir: Path) -> None:
    events = open_client().events()
    assert next(events)["topic"] == "hello"
    assert not open_client().stop(reason="test", if_idle=True)
    assert len(living_engines(state_dir)) == 1
    events.close()


def test_without_start_nothing_is_started(open_client: OpenClient, state_dir: Path) -> None:
    with pytest.raises(EngineError, match="no engine runs"):
        open_client(start=False).call("GET", "/engine")
    assert living_engines(state_dir) == []


def test_nobody_but_the_engine_removes_what_a_dead_one_left(open_client: OpenClient, place: RunDir) -> None:
    place.create()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place.socket))
    place.info.write_text(
        json.dumps({"pid": 1, "started_at": 1.0, "protocol_version": 1, "version": "0", "socket": str(place.socket)})
    )
    with pytest.raises(EngineError, match="no engine runs"):
        open_client(start=False).call("GET", "/engine")
    assert place.socket.exists()
    assert open_client().call("GET", "/engine")["pid"] != 1


def test_silent_engine_is_named_and_not_waited_for_without_end(
    open_client: OpenClient, place: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comfystow.core.engine.attach._STATUS_TIMEOUT_SECONDS", 0.3)
    pid = open_client().call("GET", "/engine")["pid"]
    kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EngineError, match=f"process {pid}") as caught:
            open_client().call("GET", "/engine")
        assert f"kill {pid}" in str(caught.value.hint)
    finally:
        kill(pid, signal.SIGCONT)


def test_engine_that_falls_silent_as_it_leaves_counts_as_gone(
    open_client: OpenClient, place: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comfystow.core.engine.attach._STATUS_TIMEOUT_SECONDS", 0.6)
    pid = open_client().call("GET", "/engine")["pid"]
    kill(pid, signal.SIGSTOP)
    leaving = threading.Timer(0.2, place.info.unlink)
    leaving.start()
    try:
        with pytest.raises(EngineError, match="no engine runs"):
            open_client(start=False).call("GET", "/engine")
    finally:
        leaving.join()
        kill(pid, signal.SIGCONT)


def test_engine_that_cannot_start_says_why_to_its_caller(
    open_client: OpenClient, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYSTOW_STALL_TIMEOUT_SECONDS", "soon")
    with pytest.raises(EngineError, match="ended while it started") as caught:
        open_client().call("GET", "/engine")
    assert str(state_dir / "engine.log") in str(caught.value.hint)


def test_state_folder_has_one_engine_even_with_two_run_dirs(
    open_client: OpenClient, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_client().call("GET", "/engine")
    monkeypatch.setenv("COMFYSTOW_RUN_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("COMFYSTOW_ENGINE_START_TIMEOUT_SECONDS", "8")
    with SyncEngineClient(state_dir, load_settings()) as client, pytest.raises(EngineError, match="out of our reach"):
        client.call("GET", "/engine")


def test_log_is_turned_over_and_what_is_printed_follows(tmp_path: Path) -> None:
    code = f"""
import sys, runpy, os
sys.path.insert(0, {str(CHECKOUT / "tests")!r})
import conftest, logging
from pathlib import Path
from comfystow.core.engine import log
log._MAX_SIZE_BYTES = 2000
folder = Path({str(tmp_path)!r})
with log.open_log(folder) as out:
    os.dup2(out.fileno(), 1); os.dup2(out.fileno(), 2)
log.log_to_file(folder)
for number in range(40):
    logging.getLogger('comfystow.test').info('line %d %s', number, 'x' * 60)
os.write(2, b'last words')
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "engine.log").read_text().endswith("last words")
    assert (tmp_path / "engine.log.1").stat().st_size < 2500
    assert not (tmp_path / "engine.log.2").exists()


def test_requests_under_way_are_answered_before_the_engine_ends(open_client: OpenClient, state_dir: Path) -> None:
    open_client().call("GET", "/engine")
    answers: list[int] = []

    def ask() -> None:
        with SyncEngineClient(state_dir, Settings(run_dir=os.environ["COMFYSTOW_RUN_DIR"])) as client:
            for _ in range(20):
                answers.append(client.request("GET", "/downloads")[0])  # noqa: PERF401

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    kill(living_engines(state_dir)[0], signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert answers == [200] * 80


def test_nothing_is_lost_at_the_moment_an_idle_engine_leaves(
    open_client: OpenClient, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYSTOW_ENGINE_IDLE_SECONDS", "0.2")
    client, chance, accepted = open_client(), random.Random(0), []
    for number in range(8):
        row = client.call("POST", "/downloads", {"source": f"hf://a/b/{number}.safetensors", "folder_name": "loras"})
        accepted.append(client.call("POST", f"/downloads/{row['id']}/pause")["id"])
        time.sleep(chance.uniform(0.15, 0.5))  # about when it leaves: it looks four times a second
    rows = client.call("GET", "/downloads")["downloads"]
    assert sorted(row["id"] for row in rows) == sorted(accepted)
    assert (state_dir / "engine.log").read_text().count("leaving: idle") >= 1
