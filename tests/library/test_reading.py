"""Whole files: every digest in one read, proof, resumption, holding back, and sources for what is unknown."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import json
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import blake3
import pytest
from comfystow.core.config import load_settings
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.library.background import lower_priority
from comfystow.core.library.reading.hashing import hash_file
from comfystow.core.records.download import DownloadState, Verified
from comfystow.core.records.library import DigestOrigin, LibraryFilter
from comfystow.core.records.reading import Purpose
from comfystow.core.records.session import HostState
from comfystow.core.runtime import Runtime
from hub.server import Hub
from support.engines import end_engines, engine_environment, kill, living_engines, make_state, wait_for
from support.queues import Stage, reached, request
from support.shelves import safetensors

GGUF = "hf://Comfy-Stow/gguf-demo/stow-flux-F16.gguf"
CIVITAI = "civitai://1001@2001?file=3001"


@pytest.fixture
def stage(hub: Hub, tmp_path: Path) -> Stage:
    return Stage(hub, tmp_path)


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - 60,) * 2)
    return path


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def rows(runtime: Runtime, **wanted: Any) -> dict[str, Any]:
    return {file.name: file for file in runtime.library.index.each(LibraryFilter(**wanted))}


def test_all_digests_come_from_one_read(tmp_path: Path) -> None:
    large = put(tmp_path / "large.safetensors", safetensors(3 << 20, title="x"))
    content = large.read_bytes()
    header_end = 8 + int.from_bytes(content[:8], "little")
    told: list[int] = []
    found = hash_file(large, told.append)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.autov1 == hashlib.sha256(content[0x100000:0x110000]).hexdigest()[:8]
    assert found.autov3 == hashlib.sha256(content[header_end:]).hexdigest()[:12]
    assert found.blake3 == blake3.blake3(content).hexdigest()
    assert sum(told) == len(content)
    small = hash_file(put(tmp_path / "small.pt", b"no header"), told.append)
    assert (small.autov1, small.autov3) == (None, None)


async def test_changed_bytes_are_found_where_neither_size_nor_time_shows_them(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        download = await runtime.downloads.submit(request())
        await reached(runtime, download.id, DownloadState.COMPLETED)
        await until(lambda: not runtime.library.busy and rows(runtime))
        path = stage.models / "vae/taesd.safetensors"
        before = path.stat()
        good = path.read_bytes()
        put(stage.models / "loras/unknown.safetensors", safetensors())
        cut = put(stage.models / "loras/cut.safetensors", safetensors(64))
        await runtime.library.scan()
        os.truncate(cut, 90)
        os.utime(cut, (time.time() - 60,) * 2)
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

        runtime.librarian.verify(headers_only=True, everything=False)
        await until(lambda: not runtime.librarian.verifying.running)
        assert set(rows(runtime, damaged=True)) == {"cut.safetensors"}

        runtime.librarian.verify(headers_only=False, everything=False)
        await until(lambda: not runtime.librarian.verifying.running)
        damaged = rows(runtime, damaged=True)
        assert set(damaged) == {"cut.safetensors", "taesd.safetensors"}
        assert damaged["taesd.safetensors"].damaged.startswith("its SHA-256 is ")
        report = runtime.librarian.verifying.report
        assert report is not None
        assert (report.headers, report.read, sorted(report.damaged)) == (
            3,
            1,
            sorted(file.id for file in damaged.values()),
        )
        assert runtime.library.index.by_digest(damaged["taesd.safetensors"].digest) == []

        # A scan does not forget it, and bytes that are right again are proven again.
        await runtime.library.check_headers()
        assert "taesd.safetensors" in rows(runtime, damaged=True)
        path.write_bytes(good)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        runtime.librarian.verify(headers_only=False, everything=True)
        await until(lambda: not runtime.librarian.verifying.running)
        assert set(rows(runtime, damaged=True)) == {"cut.safetensors"}
        found = rows(runtime)
        assert found["taesd.safetensors"].verified is Verified.DIGEST
        assert found["unknown.safetensors"].digest_origin is DigestOrigin.READ


async def test_names_of_the_same_bytes_are_read_once(stage: Stage) -> None:
    first = put(stage.models / "loras/a.safetensors", safetensors(1 << 20))
    os.link(first, stage.models / "vae/b.safetensors")
    (stage.models / "vae/c.safetensors").symlink_to(first)
    async with stage.runtime() as runtime:
        await runtime.library.scan()
        report = await runtime.librarian.reader.read(rows(runtime).values(), Purpose.HASH)
        assert (report.files, report.bytes) == (3, first.stat().st_size)
        assert {file.sha256 for file in rows(runtime).values()} == {hashlib.sha256(first.read_bytes()).hexdigest()}
        assert runtime.library.index.totals().duplicates_bytes == 0
        put(stage.models / "vae/copy.safetensors", first.read_bytes())
        await runtime.library.scan()
        await runtime.librarian.reader.read(rows(runtime).values(), Purpose.HASH)
        assert runtime.library.index.totals().duplicates_bytes == first.stat().st_size
        assert set(rows(runtime, duplicates=True)) == {
            "a.safetensors",
            "b.safetensors",
            "c.safetensors",
            "copy.safetensors",
        }


async def test_reading_waits_while_comfyui_generates_and_can_be_cancelled(stage: Stage) -> None:
    put(stage.models / "loras/a.safetensors", safetensors())
    async with stage.runtime(host_state_timeout_seconds=60.0) as runtime:
        await runtime.library.scan()
        runtime.sessions.tell("comfyui-test", HostState(queue_running=1))
        task = asyncio.create_task(runtime.librarian.reader.read(rows(runtime).values(), Purpose.HASH))
        reader = runtime.librarian.reader
        await until(lambda: reader.progress is not None and reader.progress.held)
        await asyncio.sleep(0.3)
        assert rows(runtime)["a.safetensors"].sha256 is None
        await reader.cancel()
        assert (await task).cancelled
        assert not reader.busy
        again = asyncio.create_task(reader.read(rows(runtime).values(), Purpose.HASH))
        await until(lambda: reader.progress is not None and reader.progress.held)
        runtime.sessions.tell("comfyui-test", HostState(queue_running=0))
        assert (await again).files == 1


async def test_what_vanishes_or_changes_is_passed_by(stage: Stage) -> None:
    for name in "abc":
        put(stage.models / f"loras/{name}.safetensors", safetensors())
    async with stage.runtime() as runtime:
        await runtime.library.scan()
        files = rows(runtime)
        (stage.models / "loras/a.safetensors").unlink()
        put(stage.models / "loras/b.safetensors", safetensors(16))
        report = await runtime.librarian.reader.read(files.values(), Purpose.VERIFY)
        assert (report.files, report.damaged) == (1, ())
        assert sorted(report.unread) == sorted(files[f"{name}.safetensors"].id for name in "ab")


async def test_unknown_files_learn_their_source_in_few_requests(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        for ref, folder in ((CIVITAI, "loras"), (GGUF, "text_encoders")):
            download = await runtime.downloads.submit(request(ref, folder))
            await reached(runtime, download.id, DownloadState.COMPLETED)
    for number in range(5):
        put(stage.models / f"loras/nobody knows {number}.safetensors", safetensors(8 + number))
    put(stage.models / "loras/broken.safetensors", b"")
    for path in _files(stage.models):
        os.utime(path, (time.time() - 60,) * 2)
    # A list of the user's names where the GGUF is to be had, without its digest: its place is asked.
    stage.state_dir = stage.state_dir.with_name("other")
    _write_list(stage.state_dir / "catalogues/mine.json", [{"name": "stow-flux-F16.gguf", "url": GGUF}])
    stage.hub.clear_requests()
    async with stage.runtime() as runtime:
        runtime.librarian.identify(runtime.sessions.get("comfyui-test"))
        await until(lambda: not runtime.librarian.identifying.running)
        report = runtime.librarian.identifying.report
        assert report is not None, runtime.librarian.identifying.error
        assert (report.asked, report.identified, report.unknown, report.failed) == (7, 2, 5, ())
        known = {name: file for name, file in rows(runtime).items() if file.source is not None}
        assert {file.source for file in known.values()} == {CIVITAI, GGUF}
        assert all(file.verified is Verified.DIGEST for file in known.values())
        asked = [entry for entry in stage.hub.requests() if "/by-hash" in str(entry)]
        assert len(asked) == 2
        # What was identified can be had again.
        found = await runtime.sources.resolve(runtime.sources.parse(CIVITAI), runtime.credentials(None))
        assert found.digest == next(file.digest for file in known.values() if file.source == CIVITAI)


def _files(models: Path) -> list[Path]:
    return [path for path in models.rglob("*") if path.is_file()]


def _write_list(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(data))


# A real engine


@pytest.fixture
def engine(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a state folder beside `models`; its engine ends with the test."""
    for name, value in engine_environment(tmp_path_factory.mktemp("r")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COMFYSTOW_ENGINE_IDLE_SECONDS", "2")
    state = make_state(tmp_path)
    yield state
    end_engines(state)


def test_the_next_engine_goes_on_where_a_killed_one_was(engine: Path, tmp_path: Path) -> None:
    for number in range(40):
        put(tmp_path / f"models/loras/{number:02}.safetensors", safetensors((4 << 20) + number))
    with SyncEngineClient(engine, load_settings()) as client:
        client.call("POST", "/library/scan")
        client.call("POST", "/library/identify")

        def hashed(least: int) -> int:
            done = sum(row["sha256"] is not None for row in client.call("GET", "/library?limit=100")["files"])
            return done if done >= least else 0

        before = wait_for(lambda: hashed(3))
        assert before < 40
        (pid,) = living_engines(engine)
        kill(pid, signal.SIGKILL)
        after = client.call("GET", "/library/work")  # another engine
        assert living_engines(engine) != [pid]
        assert after["reading"] is None or after["reading"]["files_total"] <= 40 - before + 1
        assert wait_for(lambda: hashed(40)) == 40
        wait_for(lambda: client.call("GET", "/library/work")["reading"] is None)


def test_the_reading_thread_takes_what_others_leave() -> None:
    def look() -> tuple[int, int]:
        lower_priority()
        io = ctypes.CDLL(None).syscall({"x86_64": 252, "aarch64": 31}[platform.machine()], 1, 0)  # ioprio_get(2)
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), io >> 13

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(look).result() == (10, 3)
    assert os.getpriority(os.PRIO_PROCESS, os.getpid()) < 10
