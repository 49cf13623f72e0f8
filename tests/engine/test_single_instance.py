"""However many callers come at once, and whenever the engine is killed: one engine, and every caller is answered."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from comfystow.core.engine.rundir import run_dirs
from comfystow.core.engine.sync_client import SyncEngineClient
from support.engines import CHECKOUT, kill, living_engines, wait_for

HERD = Path(__file__).with_name("herd.py")
CALLERS = 20


def _kill_winner(state_dir: Path, after_seconds: float, killed: list[int], stop: threading.Event) -> None:
    """Kill the first engine that long after it came to be: while it starts, answers, or has answered all."""
    while not stop.is_set():
        pids = living_engines(state_dir)
        if pids:
            time.sleep(after_seconds)
            kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])
            return
        time.sleep(0.005)


def _round(state_dir: Path, number: int, chance: random.Random) -> tuple[set[str], set[int]]:
    """Return the downloads that were accepted, and the engines that accepted them or were killed."""
    prefix = f"hf://owner/round{number}/file"
    herd = subprocess.Popen(
        [sys.executable, str(HERD), str(CHECKOUT), str(state_dir), str(CALLERS), prefix],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with herd:
        assert herd.stdout is not None
        assert herd.stdout.readline() == "ready\n"
        killed: list[int] = []
        stop = threading.Event()
        killer = threading.Thread(target=_kill_winner, args=(state_dir, chance.uniform(0, 0.9), killed, stop))
        killer.start()
        out, _ = herd.communicate("go\n", timeout=90)
        stop.set()
        killer.join()
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer for answer in answers if answer.get("status") != 202] == []
    assert len(answers) == CALLERS
    return {answer["id"] for answer in answers}, {answer["engine"] for answer in answers} | set(killed)


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_one_engine_and_nothing_lost_when_the_winner_is_killed(
    rounds: int,
    state_dir: Path,
    run_dir: Path,
    open_client: Callable[..., SyncEngineClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # All of them fail sooner or later; none may be forgotten for its age.
    monkeypatch.setenv("COMFYSTOW_HISTORY_LIMIT", str(rounds * CALLERS))
    (place,) = run_dirs(state_dir, str(run_dir))
    chance = random.Random(rounds)
    accepted: set[str] = set()
    for number in range(rounds):
        ids, engines = _round(state_dir, number, chance)
        assert len(ids) == CALLERS
        accepted |= ids
        with open_client() as client:  # the winner may have been killed when all were answered: then this starts one
            rows = client.call("GET", "/downloads")["downloads"]
            assert sorted(row["id"] for row in rows) == sorted(accepted)
            (survivor,) = wait_for(lambda: (pids := living_engines(state_dir)) and len(pids) == 1 and pids)
            assert client.engine.info.pid == survivor
            assert len(engines | {survivor}) <= 2  # the killed one, and the one after it
            assert client.stop(reason="end of the round")
        wait_for(lambda: not living_engines(state_dir))
        assert not place.socket.exists()
        assert not place.info.exists()
