"""`python install.py demo`, as a newcomer runs it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page
from support.ask import ask
from support.browser import open_comfyui, shoot
from support.comfyui import free_port
from support.setup.workshop import CHECKOUT

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(400)]

READY_SECONDS = 300


@contextmanager
def _demo(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the demo; give the process and the link that it prints."""
    command = [sys.executable, str(CHECKOUT / "install.py"), "demo", "--no-open", *options]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(READY_SECONDS, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        link = next(line.split()[1] for line in process.stdout if line.strip().startswith("Open http"))
        watchdog.cancel()
        yield process, link
    finally:
        watchdog.cancel()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def _children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(status.parent.name))
    return found


@pytest.mark.browser
@pytest.mark.parametrize("frontend", ["1.32.9", "newest"])
def test_the_printed_link_opens_a_workflow_whose_models_are_missing(frontend: str, page: Page) -> None:
    port = free_port()
    with _demo("--port", str(port), "--frontend", frontend) as (_, link):
        address, _, query = link.partition("/?")
        open_comfyui(page, address, f"?{query}")
        # The page may show a workflow of its own first.
        page.wait_for_function(
            "(wanted) => wanted.every((name) => JSON.stringify(app.graph.serialize()).includes(name))",
            arg=["taesd.safetensors", "stow_gated.safetensors", "stow_style.safetensors"],
        )
        shoot(page, f"demo-{frontend}")
        assert ask("GET", f"{address}/models/vae").json() == []


def test_the_printed_command_knows_the_demos_hub_and_engine() -> None:
    with _demo("--port", str(free_port())) as (process, _):
        assert process.stdout is not None
        said = next(line for line in process.stdout if "In another terminal: " in line)
        script, command, workflow = said.partition(": ")[2].split()
        told = subprocess.run([script, command, workflow, "--json"], capture_output=True, text=True, check=False)
        assert told.returncode == 3, told.stderr
        assert {model["state"] for model in json.loads(told.stdout)[0]["models"]} == {"missing"}
        assert subprocess.run([script, "ensure", workflow, "--yes"], capture_output=True, check=False).returncode == 4
        assert subprocess.run([script, "--version"], capture_output=True, check=False).returncode == 0
        again = subprocess.run([script, command, workflow], capture_output=True, text=True, check=False)
        assert "present  vae/taesd.safetensors" in again.stdout
    assert not Path(script).exists()


def test_ctrl_c_ends_everything_that_it_started() -> None:
    port = free_port()
    with _demo("--port", str(port)) as (process, link):
        address = link.partition("/?")[0]
        assert ask("GET", f"{address}/queue").status == 200
        started = _children(process.pid)
        assert len(started) == 2, "the hub and ComfyUI"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
        with pytest.raises(OSError, match="refused"):
            ask("GET", f"{address}/queue", timeout_seconds=2)


def test_a_taken_port_is_named_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, str(CHECKOUT / "install.py"), "demo", "--port", port],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert f"port {port} is taken" in done.stderr
    assert "--port" in done.stderr
