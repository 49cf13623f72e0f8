"""Downloads and the library know of each other: what came is in the index, and what is in the index is not fetched."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path

import pytest
from comfystow.core.library.index.keep import set_facts
from comfystow.core.records.download import DownloadState, Verified
from comfystow.core.records.library import DigestOrigin, LibraryFilter
from comfystow.core.runtime import Runtime
from hub.server import Hub
from support.queues import TAESD_BYTES, Stage, listening, reached, request


@pytest.fixture
def stage(hub: Hub, tmp_path: Path) -> Stage:
    return Stage(hub, tmp_path)


async def _rows(runtime: Runtime, count: int) -> list:
    async with asyncio.timeout(20):
        while len(rows := runtime.library.index.each(LibraryFilter())) < count or runtime.library.busy:
            await asyncio.sleep(0.02)
    return rows


async def test_a_finished_download_is_in_the_index_with_digest_and_source(stage: Stage) -> None:
    async with stage.runtime(library_news_seconds=0.05) as runtime, listening(runtime) as heard:
        download = await runtime.downloads.submit(request())
        done = await reached(runtime, download.id, DownloadState.COMPLETED)
        (file,) = await _rows(runtime, 1)
        path = stage.models / "vae/taesd.safetensors"
        assert (file.path, file.folder_name, file.size_bytes) == (path, "vae", TAESD_BYTES)
        assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (file.source, file.verified, file.digest_origin) == (
            done.source,
            Verified.DIGEST,
            DigestOrigin.DOWNLOAD,
        )
        assert file.parameters is not None
        report = await runtime.library.scan()
        assert (report.added, report.changed) == (0, 0)
    assert {"folders": ["vae"]} in heard


async def test_bytes_that_are_anywhere_in_the_library_are_linked(stage: Stage) -> None:
    made = stage.hub.add_direct("known.safetensors", size_bytes=1 << 20)
    url, sha256 = made["url"], made["sha256"]
    async with stage.runtime() as runtime:
        first = await runtime.downloads.submit(request(url, "loras", sha256=sha256))
        await reached(runtime, first.id, DownloadState.COMPLETED)
        await _rows(runtime, 1)
    # Somebody moves it by hand: the queue's history does not find it any more.
    moved = stage.models / "vae/by hand.safetensors"
    (stage.models / "loras/known.safetensors").rename(moved)
    sent = stage.hub.bytes_sent("direct/known.safetensors")
    async with stage.runtime() as runtime:
        report = await runtime.library.scan()
        assert report.moved == 1
        plan = await runtime.planner.plan([request(url, "text_encoders", sha256=sha256)], None)
        assert plan.items[0].action.value == "link"
        second = await runtime.downloads.submit(request(url, "text_encoders", sha256=sha256))
        done = await reached(runtime, second.id, DownloadState.COMPLETED)
        assert (done.linked, done.note) == (True, "linked to the same file in the library")
        rows = await _rows(runtime, 2)
        assert {(file.name, file.links, file.sha256) for file in rows} >= {("known.safetensors", 2, sha256)}
    assert moved.stat().st_nlink == 2
    assert stage.hub.bytes_sent("direct/known.safetensors") - sent < 256 << 10  # its source was asked, twice


async def test_a_copy_that_is_not_what_the_index_says_is_not_linked(stage: Stage) -> None:
    made = stage.hub.add_direct("known.safetensors", size_bytes=1 << 20)
    impostor = stage.models / "loras/impostor.safetensors"
    impostor.write_bytes(bytes(1 << 20))
    os.utime(impostor, (time.time() - 60,) * 2)
    async with stage.runtime() as runtime:
        await runtime.library.scan()
        (row,) = runtime.library.index.each(LibraryFilter())
        set_facts(runtime.library.index, {row.id: {"sha256": made["sha256"], "damaged": None}})
        download = await runtime.downloads.submit(request(made["url"], "vae", sha256=made["sha256"]))
        done = await reached(runtime, download.id, DownloadState.COMPLETED)
        assert done.linked is False
    assert hashlib.sha256((stage.models / "vae/known.safetensors").read_bytes()).hexdigest() == made["sha256"]
