"""The shared store under real engines: eight processes, eight state folders, one S3 server, one origin."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.config import load_settings
from comfystow.core.downloads.placement import Placement
from comfystow.core.engine.installation import bare_layout
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.errors import ChecksumMismatchError, NameTakenError
from comfystow.core.provision.placing.shared_copy import put_copy
from comfystow.core.records.json import to_json
from comfystow.core.records.source import Digest, ResolvedFile, UrlSource
from comfystow.core.sessions import LastLayout
from comfystow.core.sources.objects import open_bucket
from support.comfyui import hub_environment
from support.engines import end_engines, living_engines, wait_for
from support.moto import empty_bucket, s3_server

SIZE = 16 << 20
FILE = "fleet/models/fleet.safetensors"


class Engine:
    """One machine of a fleet: a state folder, models of its own, and the engine that serves them."""

    def __init__(self, base: Path) -> None:
        base.mkdir()
        self.models, self.state_dir = base / "models", base / "state"
        (self.models / "loras").mkdir(parents=True)
        self.state_dir.mkdir()
        last = LastLayout(saved_at=0.0, layout=bare_layout(self.models))
        (self.state_dir / "layout.json").write_text(json.dumps(to_json(last)))
        self.client = SyncEngineClient(self.state_dir, load_settings())
        self.file = self.models / "loras" / "fleet.safetensors"

    def ask(self, source: str, **options: Any) -> None:
        """Ask for the file."""
        self.client.call("POST", "/downloads", {"source": source, "folder_name": "loras", **options})

    @property
    def download(self) -> dict[str, Any]:
        """The one download."""
        row: dict[str, Any] = self.client.call("GET", "/downloads")["downloads"][0]
        return row

    def wait(self) -> dict[str, Any]:
        """Return the download at its end."""
        return wait_for(lambda: (row := self.download)["state"] in {"completed", "failed"} and row, 90)

    def close(self) -> None:
        self.client.close()
        end_engines(self.state_dir)


OpenEngine = Callable[..., Engine]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give the environment of a running S3 server."""
    with s3_server(tmp_path_factory.mktemp("moto")) as environment:
        yield environment


@pytest.fixture
def store(s3: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Give the URL of an empty store, and the environment that opens it."""
    return empty_bucket(s3)


@pytest.fixture
def open_engine(
    hub, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenEngine]:
    """Open engines over a store; all end with the test."""
    with ExitStack() as stack:

        def open_one(store_url: str, environment: dict[str, str], **more: str) -> Engine:
            values = {
                **hub_environment(hub),
                **environment,
                "COMFYSTOW_SHARED_STORE": store_url,
                "COMFYSTOW_RUN_DIR": str(tmp_path_factory.getbasetemp() / "r"),
                "COMFYSTOW_ENGINE_START_TIMEOUT_SECONDS": "60",
                "COMFYSTOW_ENGINE_IDLE_SECONDS": "60",
                "COMFYSTOW_FREE_SPACE_FLOOR_BYTES": "0",
                "COMFYSTOW_LEASE_HEARTBEAT_SECONDS": "0.5",
                "COMFYSTOW_LEASE_TIMEOUT_SECONDS": "3",
                **more,
            }
            for name, value in values.items():
                monkeypatch.setenv(name, value)
            engine = Engine(tmp_path / f"machine-{len(list(tmp_path.glob('machine-*')))}")
            stack.callback(engine.close)
            return engine

        yield open_one


@pytest.fixture
def made(hub) -> dict[str, Any]:
    """Give a file of a repository, whose digest the tree and every resolve tell."""
    return hub.add_file("fleet/models", "fleet.safetensors", size_bytes=SIZE)


def safetensors_bytes(size: int) -> bytes:
    body = size - 8 - 88
    header = json.dumps({"w": {"dtype": "U8", "shape": [body], "data_offsets": [0, body]}}).encode().ljust(88)
    return len(header).to_bytes(8, "little") + header + os.urandom(1 << 20) * (body >> 20) + bytes(body % (1 << 20))


def fetched(hub) -> list[dict[str, Any]]:
    """List the requests for bytes of the file."""
    return [row for row in hub.requests(origin="cdn") if row["file"] == FILE and row["bytes_sent"]]


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_eight_engines_fetch_a_file_from_its_source_once(hub, made, kind: str, request, tmp_path, open_engine) -> None:
    place = request.getfixturevalue("store") if kind == "s3" else (f"file://{tmp_path / 'store'}", {})
    engines = [open_engine(*place) for _ in range(8)]
    for engine in engines:
        engine.client.call("GET", "/engine")
    for engine in engines:
        engine.ask("hf://fleet/models/fleet.safetensors", connections=1)
    rows = [engine.wait() for engine in engines]
    assert {(row["state"], row["verified"]) for row in rows} == {("completed", "digest")}, [
        row["error"] for row in rows
    ]
    assert {sha256_of(engine.file) for engine in engines} == {made["sha256"]}
    assert len({pid for engine in engines for pid in living_engines(engine.state_dir)}) == 8
    assert hub.bytes_sent(FILE) / SIZE == 1.0
    assert {row["connection"] for row in fetched(hub)} == {fetched(hub)[0]["connection"]}  # one engine, one connection
    linked = [row["linked"] for row in rows]
    assert linked.count(True) == (7 if kind == "file" else 0)


def test_when_the_fetching_engine_is_killed_another_takes_over(hub, made, store, open_engine) -> None:
    first, *heirs = [open_engine(*store) for _ in range(4)]
    with hub.faulty("slow_loris", file="*fleet.safetensors", chunk_bytes=20_000, interval_seconds=0.05):
        first.ask("hf://fleet/models/fleet.safetensors", connections=1)
        wait_for(lambda: first.download["bytes_done"] > 100_000)
        for heir in heirs:
            heir.ask("hf://fleet/models/fleet.safetensors", connections=1)
        wait_for(lambda: all(heir.download["state"] == "running" for heir in heirs))
        assert {heir.download["bytes_done"] for heir in heirs} == {0}
        [pid] = living_engines(first.state_dir)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not living_engines(first.state_dir))
    before = hub.bytes_sent(FILE)
    rows = [heir.wait() for heir in heirs]
    assert [row["state"] for row in rows] == ["completed"] * 3
    assert {sha256_of(heir.file) for heir in heirs} == {made["sha256"]}
    assert hub.bytes_sent(FILE) - before <= SIZE
    assert first.wait()["state"] == "completed"  # its next engine takes the part up, and ends from the store


@pytest.mark.parametrize("how", ["closed", "hangs", "refuses", "slow", "unknown"])
def test_a_store_that_fails_never_fails_a_download(hub, made, s3, how: str, open_engine) -> None:
    with bad_store(how) as url:
        store = ("nowhere://x", {}) if how == "unknown" else ("s3://b/x", s3 | {"AWS_ENDPOINT_URL": url})
        engine = open_engine(*store, COMFYSTOW_SHARED_STORE_TIMEOUT_SECONDS="1")
        engine.ask("hf://fleet/models/fleet.safetensors")
        assert engine.wait()["state"] == "completed"
    assert sha256_of(engine.file) == made["sha256"]
    log = (engine.state_dir / "engine.log").read_text()
    assert "the shared store" in log
    assert "hush-hush" not in log


def test_an_object_that_is_not_what_its_name_says_is_passed_by(hub, made, store, open_engine) -> None:
    asyncio.run(open_bucket(*store).create(f"sha256/{made['sha256'][:2]}/{made['sha256']}", os.urandom(SIZE)))
    engine = open_engine(*store)
    engine.ask("hf://fleet/models/fleet.safetensors")
    assert engine.wait()["state"] == "completed"
    assert sha256_of(engine.file) == made["sha256"]
    assert "passed by" in (engine.state_dir / "engine.log").read_text()


def test_signed_addresses_are_kept_nowhere(hub, made, store, open_engine) -> None:
    url, environment = store
    asyncio.run(open_bucket(url, environment).create("x/other.safetensors", safetensors_bytes(4 << 20)))
    engine = open_engine(url, environment, COMFYSTOW_LIMIT_RATE_BYTES_PER_SECOND="1M")
    engine.ask(f"{url}/x/other.safetensors", filename="fleet.safetensors")
    wait_for(lambda: engine.download["bytes_done"] > 0)
    kept = [path for path in (*engine.state_dir.rglob("*"), *engine.models.rglob("*.json")) if path.is_file()]
    assert any(path.name.endswith(".part.json") for path in kept)
    for path in kept:
        assert b"X-Amz-Signature" not in path.read_bytes(), path
    with sqlite3.connect(engine.state_dir / "comfystow.sqlite") as database:
        assert "X-Amz" not in "\n".join(database.iterdump())
    assert "X-Amz" not in json.dumps(engine.download)
    assert engine.wait()["state"] == "completed"


class bad_store:  # noqa: N801 - read as a function
    """A server that is no store: nobody listens, nothing is answered, all is refused, or each answer takes too long."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        if self.how in {"closed", "unknown"}:
            return "http://127.0.0.1:9"
        self.thread.start()
        made = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.serve, "127.0.0.1", 0), self.loop)
        self.server = made.result(10)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if self.how == "hangs":
                await reader.read(-1)
            if self.how == "slow":
                await asyncio.sleep(0.7)
            status = b"500 Broken" if self.how == "slow" else b"403 Forbidden"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def __exit__(self, *exception: object) -> None:
        if self.thread.ident is not None:
            asyncio.run_coroutine_threadsafe(self.close(), self.loop).result(10)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(10)
        self.loop.close()

    async def close(self) -> None:
        self.server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


# From a store that is a folder


def stored_file(path: Path) -> ResolvedFile:
    url = "https://example.com/a.safetensors"
    digest = Digest("sha256", sha256_of(path))
    return ResolvedFile(source=UrlSource(url=url), url=url, filename="a.safetensors", digest=digest)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "object"
    path.write_bytes(os.urandom(5 << 20))
    return path


def test_where_links_are_not_possible_the_file_is_copied(stored, tmp_path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "another volume")

    monkeypatch.setattr(os, "link", refuse)
    placement = Placement(folder_name="loras", dest=tmp_path / "m" / "a.safetensors", part_dir=tmp_path / "parts")
    made = put_copy(stored, placement, stored_file(stored), lambda: False)
    assert (made.linked, made.size_bytes) == (False, 5 << 20)
    assert placement.dest.read_bytes() == stored.read_bytes()
    assert placement.dest.stat().st_ino != stored.stat().st_ino
    assert list((tmp_path / "parts").iterdir()) == []


def test_a_damaged_store_gives_nothing_a_name(stored, tmp_path) -> None:
    file, placement = stored_file(stored), Placement(folder_name="loras", dest=tmp_path / "m" / "a.safetensors")
    stored.write_bytes(b"something else")
    with pytest.raises(ChecksumMismatchError):
        put_copy(stored, placement, file, lambda: False)
    assert list((tmp_path / "m").iterdir()) == []


def test_a_name_that_is_taken_stays_as_it_is(stored, tmp_path) -> None:
    placement = Placement(folder_name="loras", dest=tmp_path / "a.safetensors")
    placement.dest.write_bytes(b"mine")
    with pytest.raises(NameTakenError):
        put_copy(stored, placement, stored_file(stored), lambda: False)
    assert placement.dest.read_bytes() == b"mine"
