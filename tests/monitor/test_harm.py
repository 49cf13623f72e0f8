"""What a viewer takes from ComfyUI's own process: CPU seconds, and the speed of a loop that wants the interpreter."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.comfyui import ComfyServer

ROUND_SECONDS = 10
ROUNDS = 3


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rest(_: ComfyServer) -> None:
    time.sleep(1)


def view(server: ComfyServer) -> None:
    began = time.monotonic()
    assert server.stow("POST", "/system/lease", {"seconds": 5, "interval_seconds": 1}).status == 200
    time.sleep(max(0.0, began + 1 - time.monotonic()))


@pytest.mark.long
@pytest.mark.comfyui
def test_viewer_at_one_hertz_takes_next_to_nothing_from_comfyui(comfy_server: ComfyServer) -> None:
    view(comfy_server)
    taken: dict[str, list[float]] = {"rest": [], "view": []}
    for _ in range(ROUNDS):
        for name, act in (("rest", rest), ("view", view)):
            taken[name].append(share_of(comfy_server, act))
    alone, viewed = statistics.median(taken["rest"]), statistics.median(taken["view"])
    print(
        f"ComfyUI's process: {alone * 3600:.1f} CPU s an hour without a viewer, {viewed * 3600:.1f} with one at 1 Hz;"
        f" a busy loop there loses {viewed - alone:.2%}"
    )
    assert viewed - alone <= 0.01


def share_of(server: ComfyServer, act: Callable[[ComfyServer], None]) -> float:
    before, began = cpu_seconds(server.pid), time.monotonic()
    for _ in range(ROUND_SECONDS):
        act(server)
    return (cpu_seconds(server.pid) - before) / (time.monotonic() - began)
