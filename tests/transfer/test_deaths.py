"""Engines die, and engines meet: what is there stays right, and goes on."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from comfystow.core.errors import LockedError, NameTakenError, StowError
from comfystow.core.transfer.part.journal import decode
from comfystow.core.transfer.part.part import Part
from support.transfers import job, left_behind, open_engine, resolved, sha256_of, start_process

SIZE = 12_000_000


@pytest.mark.parametrize("connections", [1, 8])
async def test_killed_engine_loses_at_most_a_mebibyte_a_connection(engine, hub, tmp_path, connections):
    row = hub.add_direct("killed.bin", size_bytes=40_000_000)
    dest = tmp_path / "killed.bin"
    hub.fault("rate", file="killed.bin", bytes_per_second=20_000_000 // connections)
    process = start_process(row["url"], dest, connections=connections, size=40_000_000, sha256=row["sha256"])
    part = tmp_path / "killed.bin.part"
    deadline = time.monotonic() + 10
    while hub.bytes_sent("direct/killed.bin") < 16_000_000 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert part.exists()
    hub.clear_faults()
    found = decode((tmp_path / "killed.bin.part.json").read_bytes())
    assert found is not None
    noted = sum(stop - start for start, stop in found[0].done)
    data = part.read_bytes()
    written = sum(4096 for at in range(0, len(data), 4096) if any(data[at : at + 64]))
    assert 0 <= written - noted <= connections * (1 << 20) + connections * 4096
    file = resolved(row["url"], size_bytes=40_000_000, sha256=row["sha256"])
    result = await engine.fetch(job(file, dest, connections=connections))
    assert sha256_of(dest) == row["sha256"]
    assert result.bytes_fetched == 40_000_000 - noted


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("connections", [1, 8])
async def test_kills_at_random_instants(engine, hub, tmp_path, connections, known):
    await _kill_often(engine, hub, tmp_path, connections, known, kills=5, seed=connections + known)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("connections", [1, 8])
async def test_fifty_kills_at_random_instants(engine, hub, tmp_path, connections, known):
    for batch in range(5):
        folder = tmp_path / str(batch)
        folder.mkdir()
        await _kill_often(engine, hub, folder, connections, known, kills=10, seed=100 + 7 * batch + connections)


async def _kill_often(engine, hub, folder: Path, connections: int, known: bool, *, kills: int, seed: int) -> None:
    row = hub.add_direct("often.bin", size_bytes=SIZE)
    facts = {"size": SIZE, "sha256": row["sha256"]} if known else {}
    dest = folder / "often.bin"
    hub.fault("rate", file="often.bin", bytes_per_second=SIZE // connections // 2)
    draw = random.Random(seed)
    for _ in range(kills):
        process = start_process(row["url"], dest, connections=connections, **facts)
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
        await asyncio.sleep(draw.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if dest.exists():
            break
    hub.clear_faults()
    if not dest.exists():
        file = resolved(row["url"], **({"size_bytes": SIZE, "sha256": row["sha256"]} if known else {}))
        await engine.fetch(job(file, dest, connections=connections))
    assert sha256_of(dest) == row["sha256"]


@pytest.mark.parametrize("known", [True, False])
async def test_engine_that_died_between_name_and_journal_has_brought_the_file(engine, hub, tmp_path, known):
    row = hub.add_direct("named.bin", size_bytes=1_000_000)
    file = resolved(row["url"], **({"sha256": row["sha256"]} if known else {}))
    dest, journal = tmp_path / "named.bin", tmp_path / "named.bin.part.json"
    kept: list[bytes] = []
    remove = Part.remove_journal

    def dying(self):
        kept.append(journal.read_bytes())
        remove(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Part, "remove_journal", dying)
        await engine.fetch(job(file, dest))
    journal.write_bytes(kept[0])
    result = await engine.fetch(job(file, dest))
    assert (result.bytes_fetched, result.digest.hex) == (0, row["sha256"])
    assert result.verified == ("digest" if known else "size")
    assert left_behind(tmp_path) == ["named.bin"]


async def test_pausing_at_any_moment_leaves_no_lock_behind(engine, hub, tmp_path):
    row = hub.add_direct("moments.bin", size_bytes=3_000_000)
    work = job(resolved(row["url"], sha256=row["sha256"]), tmp_path / "moments.bin")
    for number in range(12):
        task = asyncio.create_task(engine.fetch(work))
        await asyncio.sleep(0.002 * number)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.result().size_bytes == 3_000_000
    await engine.fetch(work)
    assert sha256_of(work.dest) == row["sha256"]
    assert left_behind(tmp_path) == ["moments.bin"]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("connections", [1, 8])
async def test_two_engines_on_one_machine_never_share_a_part(hub, tmp_path, connections, known):
    row = hub.add_direct("shared.bin", size_bytes=4_000_000)
    file = resolved(row["url"], **({"sha256": row["sha256"]} if known else {}))
    dest = tmp_path / "shared.bin"
    hub.fault("rate", file="shared.bin", bytes_per_second=4_000_000 // connections)
    with open_engine() as first, open_engine() as second:
        task = asyncio.create_task(first.fetch(job(file, dest, connections=connections)))
        await asyncio.sleep(0.3)
        with pytest.raises(LockedError) as caught:
            await second.fetch(job(file, dest, connections=connections))
        assert caught.value.retryable
        await task
        if known:
            assert (await second.fetch(job(file, dest))).bytes_fetched == 0
        else:  # without a digest nobody can tell that it is the same file
            with pytest.raises(NameTakenError):
                await second.fetch(job(file, dest))
    assert sha256_of(dest) == row["sha256"]


async def test_engine_whose_lease_was_taken_stops(engine, hub, tmp_path):
    row = hub.add_direct("taken.bin", size_bytes=4_000_000)
    hub.fault("rate", file="taken.bin", bytes_per_second=1_000_000)
    task = asyncio.create_task(engine.fetch(job(resolved(row["url"]), tmp_path / "taken.bin")))
    await asyncio.sleep(0.5)
    journal = tmp_path / "taken.bin.part.json"
    # Another machine on the volume, which does not see our lock, has taken the part over.
    from comfystow.core.transfer.part.journal import encode, frame

    found = decode(journal.read_bytes())
    assert found is not None
    record, sequence = found
    theirs = replace(record, lease=replace(record.lease, owner="another", pid=1, boot_id="elsewhere"))
    with journal.open("r+b") as opened:
        offset, data = frame(encode(theirs, sequence + 1000), sequence + 1000)
        os.pwrite(opened.fileno(), data, offset)
    with pytest.raises(StowError) as caught:
        await task
    assert caught.value.code == "locked"
    assert not (tmp_path / "taken.bin").exists()


async def test_only_synced_bytes_count_after_a_reboot(engine, hub, tmp_path):
    row = hub.add_direct("reboot.bin", size_bytes=SIZE)
    file = resolved(row["url"], size_bytes=SIZE, sha256=row["sha256"])
    dest = tmp_path / "reboot.bin"
    hub.fault("rate", file="reboot.bin", bytes_per_second=8_000_000)
    task = asyncio.create_task(engine.fetch(job(file, dest, connections=1)))
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait([task])
    hub.clear_faults()
    from comfystow.core.transfer.part.journal import encode, frame

    journal, part = tmp_path / "reboot.bin.part.json", tmp_path / "reboot.bin.part"
    found = decode(journal.read_bytes())
    assert found is not None
    record, sequence = found
    assert record.done
    # The machine went down: of what was never synced, the disk holds zeros.
    synced = 1 << 20
    with part.open("r+b") as opened:
        opened.seek(synced)
        opened.write(bytes(record.done[0][1] - synced))
    offset, data = frame(
        encode(replace(record, boot_id="the boot before", synced=((0, synced),)), sequence + 1), sequence + 1
    )
    with journal.open("r+b") as opened:
        os.pwrite(opened.fileno(), data, offset)
    result = await engine.fetch(job(file, dest))
    assert sha256_of(dest) == row["sha256"]
    assert result.bytes_fetched == SIZE - synced
