"""The disk says no, or lies behind a network: what is there stays right, and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from comfystow.core.errors import LockedError, NameTakenError, NotEnoughSpaceError, ReadOnlyError
from comfystow.core.transfer.part.journal import decode
from comfystow.core.transfer.part.machine import Machine
from comfystow.core.transfer.part.part import Part, discard_part
from support.transfers import QUICK, job, left_behind, open_engine, resolved, sha256_of, start_process

SIZE = 12_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 8 MiB."""
    point = tmp_path / "small"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(point)], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.mark.parametrize("connections", [1, 8])
@pytest.mark.parametrize("known", [True, False])
async def test_disk_that_fills_up_pauses_and_goes_on(engine, hub, small_disk, connections, known):
    row = hub.add_direct("full.bin", size_bytes=6_000_000)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 4_000_000)
    # Without a size nobody can know before; with one the check before the first byte says so.
    file = resolved(row["url"], sha256=row["sha256"]) if known else resolved(row["url"])
    work = job(file, small_disk / "full.bin", connections=connections)
    with pytest.raises(NotEnoughSpaceError):
        await engine.fetch(work)
    assert not work.dest.exists()
    ballast.unlink()
    await engine.fetch(work)
    assert sha256_of(work.dest) == row["sha256"]


@pytest.mark.parametrize("connections", [1, 8])
async def test_disk_that_fills_up_midway_keeps_the_part(engine, hub, small_disk, connections):
    row = hub.add_direct("midway.bin", size_bytes=7_000_000)
    work = job(resolved(row["url"], size_bytes=7_000_000), small_disk / "midway.bin", connections=connections)
    hub.fault("rate", file="midway.bin", bytes_per_second=7_000_000 // connections)
    task = asyncio.create_task(engine.fetch(work))
    await asyncio.sleep(0.3)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as opened, contextlib.suppress(OSError):
        while opened.write(b"x" * 4096):  # somebody else takes the room
            pass
    with pytest.raises(NotEnoughSpaceError):
        await task
    assert decode((small_disk / "midway.bin.part.json").read_bytes()) is not None
    ballast.unlink()
    result = await engine.fetch(work)
    assert sha256_of(work.dest) == row["sha256"]
    assert result.bytes_fetched < 7_000_000


async def test_plan_that_does_not_fit_is_refused_before_the_first_byte(engine, hub, small_disk):
    row = hub.add_direct("large.bin", size_bytes=9_000_000)
    with pytest.raises(NotEnoughSpaceError) as caught:
        await engine.fetch(job(resolved(row["url"], size_bytes=9_000_000), small_disk / "large.bin"))
    assert "9.0 MB" in caught.value.message
    assert hub.bytes_sent("direct/large.bin") == 0


async def test_floor_stays_free(hub, small_disk):
    row = hub.add_direct("floor.bin", size_bytes=6_000_000)
    limits = replace(QUICK, free_space_floor_bytes=4_000_000)
    with open_engine(limits) as engine, pytest.raises(NotEnoughSpaceError):
        await engine.fetch(job(resolved(row["url"], size_bytes=6_000_000), small_disk / "floor.bin"))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("connections", [1, 8])
async def test_read_only_folder(engine, hub, small_disk, connections, known):
    row = hub.add_direct("ro.bin", size_bytes=1000)
    file = resolved(row["url"], **({"size_bytes": 1000, "sha256": row["sha256"]} if known else {}))
    await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ReadOnlyError):
        await engine.fetch(job(file, small_disk / "ro.bin", connections=connections))
    assert hub.bytes_sent("direct/ro.bin") == 0


async def test_name_taken_meanwhile_is_not_overwritten(engine, hub, tmp_path):
    row = hub.add_direct("raced.bin", size_bytes=2_000_000)
    dest = tmp_path / "raced.bin"
    hub.fault("rate", file="raced.bin", bytes_per_second=2_000_000)
    task = asyncio.create_task(engine.fetch(job(resolved(row["url"]), dest)))
    await asyncio.sleep(0.3)
    dest.write_bytes(b"somebody else's")
    with pytest.raises(NameTakenError):
        await task
    assert dest.read_bytes() == b"somebody else's"


async def test_part_of_another_file_is_not_continued(engine, hub, tmp_path):
    first = hub.add_direct("first.bin", size_bytes=SIZE, seed=1)
    second = hub.add_direct("second.bin", size_bytes=SIZE, seed=2)
    dest = tmp_path / "same-name.bin"
    hub.fault("rate", file="first.bin", bytes_per_second=2_000_000)
    task = asyncio.create_task(engine.fetch(job(resolved(first["url"]), dest)))
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait([task])
    await engine.fetch(job(resolved(second["url"]), dest))
    assert sha256_of(dest) == second["sha256"]


async def test_discard_leaves_nothing(engine, hub, tmp_path):
    row = hub.add_direct("discard.bin", size_bytes=SIZE)
    hub.fault("rate", file="discard.bin", bytes_per_second=2_000_000)
    task = asyncio.create_task(engine.fetch(job(resolved(row["url"]), tmp_path / "discard.bin")))
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.wait([task])
    discard_part(tmp_path / "discard.bin")
    assert left_behind(tmp_path) == []


# Volumes behind a network


@pytest.fixture
def network_volume(monkeypatch) -> None:
    monkeypatch.setattr("comfystow.core.transfer.part.part.on_network", lambda path: True)


@pytest.mark.parametrize("connections", [1, 8])
async def test_network_volume_gets_large_aligned_writes(
    engine, hub, tmp_path, monkeypatch, network_volume, connections
):
    row = hub.add_direct("volume.bin", size_bytes=SIZE)
    writes: list[tuple[int, int]] = []
    write = Part.write

    def seen(self, offset, view):
        writes.append((offset, len(view)))
        write(self, offset, view)

    monkeypatch.setattr(Part, "write", seen)
    hub.fault("drop", file="volume.bin", after_bytes=1_300_000, fraction=0.3, times=4)
    file = resolved(row["url"], size_bytes=SIZE, sha256=row["sha256"])
    await engine.fetch(job(file, tmp_path / "volume.bin", connections=connections))
    assert sha256_of(tmp_path / "volume.bin") == row["sha256"]
    large = [size for offset, size in writes if size == 1 << 20 and offset % (1 << 20) == 0]
    assert len(large) >= SIZE // (1 << 20) - 6


async def test_network_volume_pauses_and_goes_on(engine, hub, tmp_path, network_volume):
    row = hub.add_direct("volume.bin", size_bytes=SIZE)
    work = job(resolved(row["url"], size_bytes=SIZE, sha256=row["sha256"]), tmp_path / "volume.bin", connections=4)
    with hub.faulty("rate", file="volume.bin", bytes_per_second=3_000_000):
        task = asyncio.create_task(engine.fetch(work))
        await asyncio.sleep(0.7)
        task.cancel()
        await asyncio.wait([task])
    result = await engine.fetch(work)
    assert sha256_of(work.dest) == row["sha256"]
    assert result.bytes_fetched < SIZE


async def test_other_machine_waits_for_an_old_heartbeat(engine, hub, tmp_path, network_volume, monkeypatch):
    row = hub.add_direct("volume.bin", size_bytes=SIZE)
    file = resolved(row["url"], size_bytes=SIZE, sha256=row["sha256"])
    process = start_process(row["url"], tmp_path / "volume.bin", connections=2)
    hub.fault("rate", file="volume.bin", bytes_per_second=2_000_000)
    while not (tmp_path / "volume.bin.part.json").exists():
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    process.kill()
    process.communicate()
    # Here is another machine: neither its processes nor its locks are seen.
    monkeypatch.setattr("comfystow.core.transfer.part.machine.Machine.here", lambda: Machine("another boot", "another"))
    hub.clear_faults()
    with open_engine(replace(QUICK, lease_timeout_seconds=1.0)) as other:
        with pytest.raises(LockedError):
            await other.fetch(job(file, tmp_path / "volume.bin"))
        await asyncio.sleep(1.2)
        await other.fetch(job(file, tmp_path / "volume.bin"))
    assert sha256_of(tmp_path / "volume.bin") == row["sha256"]
