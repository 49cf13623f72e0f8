"""Each sign of life on real sockets, files and processes: active, idle, unknown, or not there at all."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.config import Settings
from comfystow.core.idle.signals import NAMES, Surroundings, make_readers
from comfystow.core.idle.signals.comfyui import ComfyUi
from comfystow.core.idle.signals.jupyter import Jupyter, living_servers
from comfystow.core.idle.signals.reader import AttachedHost
from comfystow.core.idle.signals.sockets import Ssh, Transfers, connections
from comfystow.core.idle.signals.work import Downloads, Gpu, KeepAlive
from comfystow.core.records.idle import Activity, Signal
from comfystow.core.records.pod import ServiceState, ServiceStatus
from comfystow.core.records.sample import GpuSample, HistoryPoint, SystemSample
from comfystow.core.records.session import HostState, PromptCount
from support.comfyui import free_port
from support.lives import Kernel, jupyter

ACTIVE, IDLE, UNKNOWN = Activity.ACTIVE, Activity.IDLE, Activity.UNKNOWN


def around(**more: Any) -> Surroundings:
    known: dict[str, Any] = {
        "hosts": dict, "downloads": tuple, "downloads_busy": lambda: False, "sample": lambda: None,
        "history": lambda _since: [],
    }  # fmt: skip
    return Surroundings(**{**known, **more})


async def look(reader: Any) -> Activity | None:
    signal: Signal | None = await reader.read()
    return None if signal is None else signal.activity


# ComfyUI


def hosts(state: HostState | None, url: str = "http://127.0.0.1:9") -> dict[str, AttachedHost]:
    return {"one": AttachedHost(url, state)}


QUIET = HostState(queue_running=0, queue_pending=0)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (QUIET, IDLE),
        (replace(QUIET, queue_running=1), ACTIVE),
        (replace(QUIET, queue_pending=3), ACTIVE),
        (HostState(), UNKNOWN),
        (replace(QUIET, queue_pending=None), UNKNOWN),
    ],
)
async def test_queue_of_comfyui(state: HostState, says: Activity) -> None:
    assert await look(ComfyUi(around(hosts=lambda: hosts(state)))) is says


async def test_prompt_that_began_and_ended_between_two_looks_shows() -> None:
    told = [QUIET]
    reader = ComfyUi(around(hosts=lambda: hosts(told[-1])))
    assert await look(reader) is IDLE
    told.append(replace(QUIET, last_prompt_finished_at=1.0))
    assert await look(reader) is ACTIVE
    assert await look(reader) is IDLE
    told.append(replace(told[-1], prompts=(PromptCount(outcome="error", count=1),)))
    assert await look(reader) is ACTIVE


async def test_comfyui_that_is_gone_is_idle_and_one_that_keeps_silent_is_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        now = [hosts(QUIET, url)]
        reader = ComfyUi(around(hosts=lambda: now[-1]))
        assert await look(reader) is IDLE
        now.append(hosts(None, url))
        assert await look(reader) is UNKNOWN
        now.append({})
        assert await look(reader) is UNKNOWN
    assert await look(reader) is IDLE
    assert await look(ComfyUi(around())) is UNKNOWN  # none was ever seen


# The engine's own


async def test_queue_of_downloads() -> None:
    assert await look(Downloads(around())) is IDLE
    assert await look(Downloads(around(downloads_busy=lambda: True))) is ACTIVE


def sample(*busy: float | None, note: str | None = None) -> SystemSample:
    gpus = tuple(
        GpuSample(uuid=f"g{index}", index=index, name="GPU", vendor="nvidia", utilization_ratio=ratio)
        for index, ratio in enumerate(busy)
    )
    return SystemSample(taken_at=10.0, gpus=gpus or None, gpu_note=note)


@pytest.mark.parametrize(
    ("taken", "says"),
    [
        (None, UNKNOWN),
        (sample(0.0, 0.04), IDLE),
        (sample(0.0, 0.06), ACTIVE),
        (sample(0.0, None), UNKNOWN),
        (sample(0.9, None), ACTIVE),
        (sample(note="no NVIDIA driver library here"), None),
        (sample(note="the GPU driver does not answer"), UNKNOWN),
    ],
)
async def test_gpu_that_is_not_told_of_is_unknown_and_never_zero(taken: SystemSample, says: Activity | None) -> None:
    assert await look(Gpu(around(sample=lambda: taken), 0.05)) is says


async def test_gpu_that_was_busy_between_two_looks_shows_and_one_that_vanished_is_unknown() -> None:
    points: list[HistoryPoint] = []
    taken = [sample(0.0)]
    reader = Gpu(around(sample=lambda: taken[-1], history=lambda _: points), 0.05)
    assert await look(reader) is IDLE
    points.append(HistoryPoint.of(replace(sample(0.8), taken_at=9.0)))
    assert await look(reader) is ACTIVE
    points.clear()
    taken.append(sample(note="no NVIDIA driver library here"))
    assert await look(reader) is UNKNOWN


async def test_wish_ends_by_itself() -> None:
    now = [0.0]
    wish = KeepAlive(lambda: now[0])
    assert await look(wish) is None
    wish.keep("a", 60)
    wish.keep("b", 600)
    wish.keep("b", 0)
    assert await look(wish) is ACTIVE
    now[0] = 61
    assert await look(wish) is None


def test_signals_can_be_left_out_but_not_the_owners_wish() -> None:
    readers = make_readers(around(), Settings(idle_ignore=("gpu", "-SSH", "nonsense")), KeepAlive(lambda: 0.0))
    assert [reader.name for reader in readers] == [name for name in NAMES if name not in {"gpu", "ssh"}] + [
        "keep_alive"
    ]


# Connections


@contextmanager
def connected(*, address: str = "127.0.0.1") -> Iterator[int]:
    """Hold a connection to a port of this machine."""
    with socket.create_server((address, 0)) as server, socket.create_connection(server.getsockname()[:2]) as client:
        peer, _ = server.accept()
        with peer:
            assert client.fileno() >= 0
            yield server.getsockname()[1]


async def test_connection_from_this_machine_counts_when_it_lasts() -> None:
    with connected() as port:
        reader = Transfers(around(), frozenset({port}))
        assert await look(reader) is IDLE  # a probe of our own looks like this
        assert await look(reader) is ACTIVE
    assert await look(reader) is IDLE


async def test_file_service_of_the_pod_is_found_by_its_port() -> None:
    with connected() as port:
        status = ServiceStatus(name="files", title="Files", state=ServiceState.READY, port=port)
        reader = Transfers(around(services=lambda: (status,)), frozenset())
        assert [await look(reader), await look(reader)] == [IDLE, ACTIVE]
        off = replace(status, state=ServiceState.OFF)
        assert await look(Transfers(around(services=lambda: (off,)), frozenset())) is None


def table(folder: Path, *rows: tuple[str, str, str]) -> Path:
    (folder / "net").mkdir(parents=True, exist_ok=True)
    lines = ["  sl  local_address rem_address   st tx_queue"]
    lines += [f"   0: {own} {peer} {state} 00000000:00000000" for own, peer, state in rows]
    (folder / "net" / "tcp").write_text("\n".join(lines))
    return folder


def word(address: str) -> str:
    return struct.pack("<I", struct.unpack(">I", socket.inet_aton(address))[0]).hex().upper()


async def test_connection_from_elsewhere_counts_at_once(tmp_path: Path) -> None:
    proc = table(tmp_path, (f"{word('10.0.0.2')}:1F90", f"{word('100.64.1.7')}:C001", "01"),
                 (f"{word('10.0.0.2')}:1F90", f"{word('100.64.1.8')}:C002", "06"))  # fmt: skip
    found = connections(proc)
    assert found is not None
    assert [(row.port, row.local) for row in found] == [(8080, False)]
    assert await look(Transfers(around(proc=proc), frozenset({8080}))) is ACTIVE


def test_loopback_is_known_in_every_spelling(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    mapped = "0000000000000000FFFF0000" + word("127.0.0.1")
    rows = [f"0: {'0' * 32}:0016 {peer}:C001 01" for peer in (f"{'0' * 24}01000000", mapped)]
    (tmp_path / "net" / "tcp6").write_text("\n".join(["head", *rows]))
    found = connections(tmp_path)
    assert found is not None
    assert [row.local for row in found] == [True, True]


async def test_machine_without_such_a_table_is_unknown(tmp_path: Path) -> None:
    assert connections(tmp_path) is None
    assert await look(Transfers(around(proc=tmp_path), frozenset({80}))) is UNKNOWN
    assert await look(Ssh(around(proc=tmp_path / "none"), 22)) is None


def process(proc: Path, pid: int, comm: str, title: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "comm").write_text(comm + "\n")
    (proc / str(pid) / "cmdline").write_bytes(title.encode() + b"\0")


@pytest.mark.parametrize(
    ("comm", "title", "says"),
    [
        ("sshd", "sshd: root@pts/0", ACTIVE),
        ("sshd", "sshd: root@notty", ACTIVE),
        ("sshd-session", "sshd-session: me@pts/1", ACTIVE),
        ("sshd", "sshd: [accepted]", IDLE),
        ("sshd", "sshd: unknown [priv]", IDLE),
        ("sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", IDLE),
        ("python3", "sshd: root@pts/0", None),
    ],
)
async def test_only_who_is_logged_in_is_a_session(tmp_path: Path, comm: str, title: str, says: Activity | None) -> None:
    process(tmp_path, 77, comm, title)
    table(tmp_path, (f"{word('10.0.0.2')}:0050", f"{word('9.9.9.9')}:C001", "01"))
    assert await look(Ssh(around(proc=tmp_path), 22)) is says


async def test_port_that_strangers_knock_at_is_no_session(tmp_path: Path) -> None:
    process(tmp_path, 77, "sshd", "sshd: [accepted]")
    table(tmp_path, (f"{word('10.0.0.2')}:0016", f"{word('9.9.9.9')}:C001", "01"))
    reader = Ssh(around(proc=tmp_path), 22)
    assert [await look(reader), await look(reader)] == [IDLE, IDLE]


# Jupyter


async def test_kernel_at_work_and_one_that_was_used_between_two_looks(tmp_path: Path) -> None:
    environment = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "jupyter" / "runtime")}
    with jupyter(tmp_path / "jupyter") as (url, token):
        assert token not in repr(living_servers(environment))
        reader = Jupyter(around(environment=lambda: environment), Settings())
        assert await look(reader) is IDLE
        kernel = await asyncio.to_thread(Kernel, url, token)
        assert await look(reader) is ACTIVE
        await asyncio.to_thread(kernel.run, "1")
        while await look(reader) is ACTIVE:
            await asyncio.sleep(0.2)
        for _ in range(3):  # our own questions are no activity
            assert await look(reader) is IDLE
        await asyncio.to_thread(kernel.run, "2")
        assert await look(reader) is ACTIVE
        await asyncio.to_thread(kernel.run, "import time; time.sleep(3)")
        assert await look(reader) is ACTIVE
        await reader.close()
        wrong = Jupyter(around(), Settings(jupyter_url=url, jupyter_token="wrong"))
        assert await look(wrong) is UNKNOWN
        await wrong.close()
    dead = Jupyter(around(environment=lambda: environment), Settings(jupyter_url=f"http://127.0.0.1:{free_port()}"))
    assert await look(dead) is UNKNOWN
    await dead.close()


async def test_what_dead_servers_and_strangers_left_is_passed_over(tmp_path: Path) -> None:
    told: list[object] = [
        {"pid": 2**22 + 1, "port": 8888}, {"pid": os.getpid()}, {"pid": "x", "port": "y"}, [], "text", None,
    ]  # fmt: skip
    for number, data in enumerate(told):
        (tmp_path / f"jpserver-{number}.json").write_text(json.dumps(data))
    (tmp_path / "jpserver-bad.json").write_bytes(b"\xff{")
    environment = {"JUPYTER_RUNTIME_DIR": str(tmp_path)}
    assert living_servers(environment) == []
    assert await look(Jupyter(around(environment=lambda: environment), Settings())) is None
