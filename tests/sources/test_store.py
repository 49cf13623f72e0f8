"""Object stores against a real S3 server process (moto) and a folder: source and shared store."""

from __future__ import annotations

import asyncio
import hashlib
import os
import urllib.request
from pathlib import Path

import pytest
from comfystow.core.config import load_settings
from comfystow.core.errors import (
    AuthRequiredError,
    ChecksumMismatchError,
    ConfigError,
    ConflictError,
    NotFoundError,
    ServerError,
)
from comfystow.core.net.client import HttpClient, HttpLimits
from comfystow.core.net.egress import EgressGate
from comfystow.core.net.hosts import AllowList
from comfystow.core.net.location import FIRST_BYTE, locate
from comfystow.core.records.source import Digest, ResolvedFile, StoreSource, UrlSource
from comfystow.core.sources.objects import Bucket, open_bucket
from comfystow.core.sources.store import Served, SharedStore, StoreTimes, Turn
from comfystow.core.transfer.engine import TransferEngine
from comfystow.core.transfer.job import TransferJob, TransferLimits
from support.moto import empty_bucket
from support.wayout import way_out

DATA = os.urandom(20 << 20)  # three chunks, and above obstore's multipart size
DIGEST = Digest("sha256", hashlib.sha256(DATA).hexdigest())
QUICK = StoreTimes(heartbeat_seconds=0.1, lease_timeout_seconds=1.5, poll_seconds=0.05)  # a loaded machine stalls


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(DATA)
    return path


def shared(bucket: Bucket, times: StoreTimes = QUICK) -> SharedStore:
    return SharedStore(bucket, EgressGate(AllowList.build(load_settings({}))), times)


# The test server itself


async def test_the_server_enforces_what_leases_rest_on(bucket: Bucket) -> None:
    """Without If-None-Match and If-Match a lease would prove nothing."""
    etag = await bucket.create("x", b"one")
    with pytest.raises(ConflictError):
        await bucket.create("x", b"two")
    with pytest.raises(ConflictError):
        await bucket.replace("x", b"two", '"another"')
    assert await bucket.replace("x", b"two", etag or "") != etag
    winners = await asyncio.gather(*(bucket.create("race", b"x") for _ in range(16)), return_exceptions=True)
    assert len([won for won in winners if not isinstance(won, ConflictError)]) == 1


# Objects as a source


async def test_an_object_is_fetched_like_any_file(hub, s3, model: Path) -> None:
    url, environment = empty_bucket(s3)
    bucket = open_bucket(url, environment)
    await bucket.create("vae/tiny.safetensors", model)
    async with way_out(hub) as way:
        source = way.sources.parse(f"{url}/vae/tiny.safetensors")
        file = await way.sources.resolve(source, way.tokens(**environment))
        assert (file.filename, file.size_bytes, file.accepts_ranges) == ("tiny.safetensors", len(DATA), True)
        assert (file.source, file.folder_hint, file.digest) == (source, "vae", None)
        located = await locate(way.client, file.url, span=FIRST_BYTE)
        assert (located.size_bytes, located.accepts_ranges) == (len(DATA), True)
        await bucket.create(f"sha256/{DIGEST.hex[:2]}/{DIGEST.hex}", model)
        shared_file = way.sources.parse(f"{url}/sha256/{DIGEST.hex[:2]}/{DIGEST.hex}")
        assert (await way.sources.resolve(shared_file, way.tokens(**environment))).digest == DIGEST
        with pytest.raises(NotFoundError, match="does not exist"):
            await way.sources.resolve(way.sources.parse(f"{url}/nothing.gguf"), way.tokens(**environment))


async def test_a_store_that_is_absent_says_so(hub, s3) -> None:
    async with way_out(hub) as way:
        with pytest.raises(NotFoundError):
            await way.sources.resolve(StoreSource(url="s3://no-such-bucket/x.gguf"), way.tokens(**s3))
    nowhere = s3 | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(ServerError) as caught:
        await open_bucket("s3://b/x", nowhere, timeout_seconds=1).info("y")
    assert "hush-hush" not in f"{caught.value!r}"
    with pytest.raises(ConfigError, match="no object store"):
        open_bucket("https://example.com", {})


async def test_a_refusal_is_a_missing_credential(s3) -> None:
    server = await asyncio.start_server(_refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        bucket = open_bucket("s3://b/x", s3 | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}, timeout_seconds=5)
        with pytest.raises(AuthRequiredError, match="does not let us") as caught:
            await bucket.info("y")
    assert "AWS_ACCESS_KEY_ID" in (caught.value.hint or "")


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


# The shared store


def resolved(digest: Digest | None = DIGEST) -> ResolvedFile:
    url = "https://huggingface.co/o/r/resolve/main/model.safetensors"
    return ResolvedFile(source=UrlSource(url=url), url=url, filename="model.safetensors", digest=digest)


def read(turn: Turn) -> bytes:
    """Read what a turn of the store offers, by the address alone."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(turn.file.url) as reply:
        return reply.read()


async def test_what_one_keeps_the_others_get_from_the_store(bucket: Bucket, model: Path) -> None:
    served = []
    for _ in range(3):
        async with shared(bucket).turn(resolved()) as turn:
            served.append(turn.served)
            if turn.served is Served.ORIGIN:
                assert turn.file == resolved()
                await turn.keep(model)
            else:
                assert await asyncio.to_thread(read, turn) == DATA
                assert (turn.file.digest, turn.file.size_bytes) == (DIGEST, len(DATA))
                assert turn.file.source == resolved().source
                assert (turn.local_path is not None) == bucket.url.startswith("file://")
    assert served == [Served.ORIGIN, Served.STORE, Served.STORE]
    info = await bucket.info(f"sha256/{DIGEST.hex[:2]}/{DIGEST.hex}")
    assert info is not None
    assert info.size_bytes == len(DATA)
    assert await bucket.info(f"leases/{DIGEST.hex}") is None


async def test_a_stored_copy_is_pushed_once(bucket: Bucket, model: Path) -> None:
    store = shared(bucket)
    assert await store.push(DIGEST, model) is True
    assert await store.push(DIGEST, model) is False
    await bucket.create("sha256/ab/not-a-digest", b"x")
    assert [row async for row in store.contents()] == [(DIGEST, len(DATA))]


async def test_the_transfer_reads_the_store_and_proves_what_it_gets(s3, model: Path, tmp_path: Path) -> None:
    bucket = open_bucket(*empty_bucket(s3))
    settings = load_settings({}, free_space_floor_bytes=0)
    gate = EgressGate(AllowList.build(settings))
    client = HttpClient(HttpLimits(), gate)
    engine = TransferEngine(TransferLimits.of(settings), client, gate)
    store = SharedStore(bucket, gate, QUICK)
    await store.push(DIGEST, model)
    other = Digest("sha256", "ab" * 32)
    await bucket.create(f"sha256/ab/{other.hex}", model)  # an object that is not what its name says
    try:
        async with store.turn(resolved()) as turn:
            job = TransferJob(file=turn.file, dest=tmp_path / "a.safetensors", owner="me", connections=4)
            result = await engine.fetch(job, renew=turn.renew)
        assert (result.digest, result.verified) == (DIGEST, "digest")
        with pytest.raises(ChecksumMismatchError):
            async with store.turn(resolved(other)) as turn:
                await engine.fetch(TransferJob(file=turn.file, dest=tmp_path / "b.safetensors", owner="me"))
        assert not (tmp_path / "b.safetensors").exists()
        async with store.turn(resolved(other)) as turn:
            assert turn.served is Served.ORIGIN  # the store is doubted for this file
    finally:
        engine.close()
        await client.close()


async def test_a_file_without_a_sha256_comes_from_the_origin(bucket: Bucket, model: Path) -> None:
    async with shared(bucket).turn(resolved(None)) as turn:
        assert turn.served is Served.ORIGIN
        await turn.keep(model)
    assert await bucket.info(f"sha256/{DIGEST.hex[:2]}/{DIGEST.hex}") is None


async def test_an_origin_that_fails_gives_the_lease_back(bucket: Bucket) -> None:
    async def fail() -> None:
        async with shared(bucket).turn(resolved()):
            assert await bucket.info(f"leases/{DIGEST.hex}") is not None
            raise ServerError("the origin is down")

    with pytest.raises(ServerError, match="origin is down"):
        await fail()
    assert await bucket.info(f"leases/{DIGEST.hex}") is None


async def test_cancelling_gives_the_lease_back(bucket: Bucket) -> None:
    began = asyncio.Event()

    async def hold() -> None:
        async with shared(bucket).turn(resolved()):
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await began.wait()
    assert await bucket.info(f"leases/{DIGEST.hex}") is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await bucket.info(f"leases/{DIGEST.hex}") is None


async def test_a_store_that_is_down_is_passed_by(s3, model: Path, caplog) -> None:
    down = open_bucket("s3://b/x", s3 | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, timeout_seconds=1)
    async with shared(down).turn(resolved()) as turn:
        assert turn.served is Served.ORIGIN
        await turn.keep(model)
    assert "passed by" in caplog.text
    assert "could not be put" in caplog.text
    assert "hush-hush" not in caplog.text


async def test_a_store_that_hangs_is_passed_by(s3) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        hanging = open_bucket("s3://b/x", s3 | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}, timeout_seconds=1)
        async with shared(hanging).turn(resolved()) as turn:
            assert turn.served is Served.ORIGIN


async def test_the_settings_open_the_store_or_none(s3) -> None:
    gate = EgressGate(AllowList.build(load_settings({})))
    assert SharedStore.open(load_settings({}), s3, gate) is None
    assert SharedStore.open(load_settings({"COMFYSTOW_SHARED_STORE": "s3://b/x"}), s3, gate) is not None
    with pytest.raises(ConfigError, match="no object store"):
        SharedStore.open(load_settings({"COMFYSTOW_SHARED_STORE": "nowhere"}), s3, gate)
