"""A real machine with the clock sped up 60 times: whatever is done on it, nobody is asked to stop it; then exactly once.

A ComfyUI that runs a prompt, a Jupyter kernel, a download and an SSH session, each alone and each for longer than the
time-out and the grace together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor as Threads
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.comfyui import ComfyServer, hub_environment
from support.engines import living_engines, wait_for
from support.lives import Kernel, busy_kernel, jupyter, slow_prompt, ssh_server, work_by_ssh, write_slow_pack
from support.providers import KEY, POD, FakeProviders

if TYPE_CHECKING:
    from hub.server import Hub

pytestmark = pytest.mark.comfyui

#: On the policy's clock: 5 min and 1 min, which are 6 s here.
POLICY = {
    "COMFYSTOW_IDLE_MODE": "stop", "COMFYSTOW_IDLE_TIMEOUT_SECONDS": "300", "COMFYSTOW_IDLE_GRACE_SECONDS": "60",
    "COMFYSTOW_IDLE_CHECK_SECONDS": "30", "COMFYSTOW_IDLE_CLOCK_RATE": "60", "COMFYSTOW_CONNECTIONS_PER_DOWNLOAD": "1",
    "COMFYSTOW_PROVIDER_PAUSE_SECONDS": "0.1",
}  # fmt: skip
#: Time-out and grace together.
TOO_SHORT = 6.0
_BYTES = 64 << 20


def rented(api: FakeProviders, **more: str) -> dict[str, str]:
    return {**POLICY, "RUNPOD_POD_ID": POD, "RUNPOD_API_KEY": KEY, "COMFYSTOW_RUNPOD_API_URL": api.url, **more}


def pod(server: ComfyServer) -> dict:
    reply = server.stow("GET", "/pod")
    assert reply.status == 200, reply.body
    return dict(reply.json())


def idle(server: ComfyServer) -> dict:
    return dict(pod(server)["idle"])


def until_stopped(server: ComfyServer, api: FakeProviders) -> None:
    """Wait for the one call, and see that it stays the only one."""
    wait_for(lambda: api.stops, 60)
    wait_for(lambda: idle(server)["state"] == "stopped")
    time.sleep(2)
    assert api.calls() == [f"POST /v2/pods/{POD}/action"]


def live(server: ComfyServer, hub: Hub, folder: Path, api: FakeProviders, seconds: float) -> None:
    """Do one thing after the other, each alone; nobody is asked to stop anything.

    Until a thing is seen, and once it has ended, a wish keeps the machine: a slow one takes longer than the time-out
    to begin.
    """
    jobs: dict[str, Callable[[], object]] = {}
    keep(server, 6000)
    with jupyter(folder / "jupyter") as (url, token), ssh_server(folder / "ssh") as (_, login), Threads(1) as thread:
        kernel = Kernel(url, token)
        hub.fault("rate", file="big_64mib*", bytes_per_second=int(_BYTES / seconds))
        jobs["comfyui"] = lambda: server.run_prompt(slow_prompt(seconds), timeout_seconds=seconds + 60)
        jobs["jupyter"] = lambda: busy_kernel(kernel, seconds)
        jobs["downloads"] = lambda: download(server)
        jobs["ssh"] = lambda: work_by_ssh(login, seconds)
        for name, job in jobs.items():
            done = thread.submit(job)
            wait_for(lambda name=name, done=done: signals(server).get(name) == "active" or done.done(), 60)
            began = time.monotonic()
            keep(server, 0)
            done.result()
            keep(server, 6000)
            assert time.monotonic() - began > TOO_SHORT, f"{name} was too short to prove anything"
            assert api.stops == 0, f"stopped during {name}: {idle(server)['why']}"
            assert idle(server)["state"] in {"watching", "starting"}, name
    kept_alive(server, api, TOO_SHORT + 1)
    until_stopped(server, api)


def keep(server: ComfyServer, seconds: float) -> None:
    assert server.stow("POST", "/idle/keep-alive", {"seconds": seconds}).status == 200


def signals(server: ComfyServer) -> dict[str, str]:
    return {row["name"]: row["activity"] for row in idle(server)["signals"]}


def kept_alive(server: ComfyServer, api: FakeProviders, seconds: float) -> None:
    """Nothing is done, and somebody wishes that the machine stays."""
    answer = server.stow("POST", "/idle/keep-alive", {"seconds": 6000}).json()
    assert answer["keep_alive_seconds"] > 5900
    time.sleep(seconds)
    assert api.stops == 0
    assert signals(server)["keep_alive"] == "active"
    told = pod(server)
    assert told["machine"]["cost_per_hour"] == 0.44
    assert told["machine"]["cost_so_far"] > 0
    keep(server, 0)
    warned = wait_for(lambda: (now := idle(server))["state"] != "watching" and now, 60)
    if warned["state"] == "grace":  # it lasts a second here, which a slow machine may miss
        assert 0 <= warned["stops_in_seconds"] <= 60


def download(server: ComfyServer) -> None:
    body = {"source": "hf://Comfy-Stow/big-models/big_64mib.safetensors", "folder_name": "loras"}
    assert server.stow("POST", "/downloads", body).status == 202
    state = wait_for(
        lambda: next((row["state"] for row in server.stow("GET", "/downloads").json()["downloads"]
                      if row["state"] in {"completed", "failed"}), None), 180,
    )  # fmt: skip
    assert state == "completed"


@pytest.fixture
def machine(start_comfy: Callable[..., ComfyServer], hub: Hub, api: FakeProviders, tmp_path: Path) -> ComfyServer:
    """A rented machine with a ComfyUI that nobody has opened in a browser."""
    runtime = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "jupyter" / "runtime")}
    server = start_comfy(run=False, env={**hub_environment(hub), **rented(api), **runtime})
    write_slow_pack(server.custom_nodes)
    return server.start()


@pytest.mark.timeout(400)
def test_each_kind_of_work_alone_keeps_the_machine_and_their_end_stops_it_once(
    machine: ComfyServer, hub: Hub, api: FakeProviders, tmp_path: Path
) -> None:
    # Nobody has opened a browser or asked for anything: the extension itself has begun to look after the machine.
    wait_for(lambda: living_engines(machine.state_dir))
    live(machine, hub, tmp_path, api, 9.0)
    assert machine.stow("POST", "/idle/keep-alive", {"seconds": 60}).status == 409
    kept = [file for file in machine.state_dir.rglob("*") if file.is_file()]
    assert kept
    assert all(KEY.encode() not in file.read_bytes() for file in kept)
    assert KEY not in machine.log


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_minute_and_a_half_of_each_kind_of_work(
    machine: ComfyServer, hub: Hub, api: FakeProviders, tmp_path: Path
) -> None:
    live(machine, hub, tmp_path, api, 90)
