"""One file, from a healthy server."""

from __future__ import annotations

import asyncio

import pytest
from comfystow.core.errors import NameTakenError
from comfystow.core.records.download import DownloadState, Verified
from support.transfers import job, left_behind, resolved, sha256_of


@pytest.mark.parametrize("connections", [1, 8, None])
async def test_file_arrives_whole_and_alone(engine, hub, tmp_path, connections):
    file = hub.add_direct("whole.bin", size_bytes=24_000_001)
    dest = tmp_path / "whole.bin"
    seen = []
    result = await engine.fetch(
        job(resolved(file["url"], size_bytes=24_000_001, sha256=file["sha256"]), dest, connections=connections),
        on_progress=seen.append,
    )
    assert sha256_of(dest) == file["sha256"] == result.digest.hex
    assert (result.verified, result.size_bytes, result.restarted) == (Verified.DIGEST, 24_000_001, 0)
    assert left_behind(tmp_path) == ["whole.bin"]
    assert {progress.phase for progress in seen} >= {DownloadState.VERIFYING, DownloadState.PLACING}


@pytest.mark.parametrize("size", [0, 1, 511, 4096, 1 << 20, (1 << 20) + 1])
async def test_small_sizes(engine, hub, tmp_path, size):
    file = hub.add_direct("small.bin", data=(bytes(range(256)) * (size // 256 + 1))[:size])
    dest = tmp_path / "small.bin"
    result = await engine.fetch(job(resolved(file["url"]), dest))
    assert (sha256_of(dest), result.size_bytes, result.verified) == (file["sha256"], size, Verified.SIZE)


async def test_many_files_at_once(engine, hub, tmp_path):
    files = [hub.add_direct(f"many-{number}.bin", size_bytes=1_000_000 + number) for number in range(24)]
    jobs = [job(resolved(file["url"], sha256=file["sha256"]), tmp_path / f"{n}.bin") for n, file in enumerate(files)]
    results = await asyncio.gather(*map(engine.fetch, jobs))
    assert [result.verified for result in results] == [Verified.DIGEST] * 24


async def test_nothing_is_overwritten(engine, hub, tmp_path):
    file = hub.add_direct("taken.bin", size_bytes=1000)
    dest = tmp_path / "taken.bin"
    dest.write_bytes(b"mine")
    with pytest.raises(NameTakenError):
        await engine.fetch(job(resolved(file["url"]), dest))
    assert dest.read_bytes() == b"mine"


async def test_pause_keeps_the_part_and_resume_fetches_the_rest(engine, hub, tmp_path):
    size = 20_000_000
    file = hub.add_direct("paused.bin", size_bytes=size)
    work = job(resolved(file["url"], size_bytes=size, sha256=file["sha256"]), tmp_path / "paused.bin", connections=4)
    with hub.faulty("rate", origin="cdn", bytes_per_second=4_000_000):
        task = asyncio.create_task(engine.fetch(work))
        await asyncio.sleep(0.6)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert left_behind(tmp_path) == ["paused.bin.part", "paused.bin.part.json"]
    result = await engine.fetch(work)
    assert sha256_of(work.dest) == file["sha256"]
    assert 0 < result.bytes_fetched < size - 2_000_000
    assert left_behind(tmp_path) == ["paused.bin"]
