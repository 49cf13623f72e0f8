"""Engines as processes: who lives for a state folder, and one client a test closes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.config import load_settings
from comfystow.core.engine.installation import bare_layout
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.records.json import to_json
from comfystow.core.sessions import LastLayout

CHECKOUT = Path(__file__).resolve().parents[2]


def engine_environment(run_dir: Path) -> dict[str, str]:
    """Return the environment of engines and their callers that keep to themselves."""
    return {
        "COMFYSTOW_RUN_DIR": str(run_dir),
        "COMFYSTOW_ENGINE_START_TIMEOUT_SECONDS": "60",
        # The discard port: what is asked for there is taken into the queue, and gets no further.
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "COMFYSTOW_ALLOW_HOSTS": "127.0.0.1:9",
    }


def make_state(base: Path) -> Path:
    """Make a state folder as if a ComfyUI with its models in `base/models` had been attached before."""
    state, models = base / "state", base / "models"
    state.mkdir()
    models.mkdir()
    last = LastLayout(saved_at=0.0, layout=bare_layout(models))
    (state / "layout.json").write_text(json.dumps(to_json(last)))
    return state


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return the first true value of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"{condition} did not come true within {seconds} s")


def living_engines(state_dir: Path) -> list[int]:
    """List the processes that are, or try to become, the engine of a state folder."""
    wanted = [b"engine", b"run", b"--state-dir", os.fsencode(state_dir)]
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and words[-5:-1] == wanted:
            found.append(int(entry.name))
    return found


def end_engines(state_dir: Path) -> None:
    """End what lives for a state folder."""
    for pid in living_engines(state_dir):
        kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while living_engines(state_dir) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in living_engines(state_dir):
        kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def served(base: Path, run_dir: Path) -> Iterator[SyncEngineClient]:
    """Give a client of an engine over `base/models`; its environment is this process's too, and both end with it."""
    state = make_state(base)
    with contextlib.ExitStack() as stack:
        stack.callback(end_engines, state)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in engine_environment(run_dir).items():
            patch.setenv(name, value)
        patch.setenv("COMFYSTOW_ENGINE_IDLE_SECONDS", "60")
        client = stack.enter_context(SyncEngineClient(state, load_settings()))
        client.call("GET", "/engine")
        yield client


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def comfystow(
    *words: str | Path,
    tree: Path = CHECKOUT,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run the command line of a tree to its end."""
    return subprocess.run(
        [sys.executable, str(tree), *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=100,
        check=False,
        **options,
    )
