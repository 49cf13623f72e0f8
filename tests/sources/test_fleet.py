"""Leases in an object store, and the engines of a fleet that go by them: against a real S3 server process and a folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from comfystow.core.sources.lease import Lease
from comfystow.core.sources.objects import Bucket
from comfystow.core.sources.store import StoreTimes
from support.moto import empty_bucket

QUICK = StoreTimes(heartbeat_seconds=0.1, lease_timeout_seconds=1.5, poll_seconds=0.05)  # a loaded machine stalls


def lease(bucket: Bucket, times: StoreTimes = QUICK) -> Lease:
    return Lease(bucket, "work", heartbeat_seconds=times.heartbeat_seconds, timeout_seconds=times.lease_timeout_seconds)


async def test_a_lease_has_one_holder(bucket: Bucket) -> None:
    one, two = lease(bucket), lease(bucket)
    assert await one.try_acquire()
    assert not await two.try_acquire()
    await one.release()
    assert await two.try_acquire()
    await two.release()


async def test_a_lease_that_is_renewed_is_not_taken(bucket: Bucket) -> None:
    one, two = lease(bucket), lease(bucket)
    assert await one.try_acquire()
    for _ in range(20):
        assert not await two.try_acquire()
        await asyncio.sleep(QUICK.lease_timeout_seconds / 10)
    await one.release()


async def test_a_lease_whose_holder_died_is_taken_by_one(bucket: Bucket) -> None:
    await bucket.create("leases/work", b'{"owner": "dead"}')
    waiting = [lease(bucket) for _ in range(4)]
    taken: list[Lease] = []
    for _ in range(200):
        taken += [item for item in waiting if item not in taken and await item.try_acquire()]
        if taken:
            break
        await asyncio.sleep(0.05)
    assert len(taken) == 1
    await taken[0].release()
    assert await bucket.info("leases/work") is None


# A fleet


class Worker:
    """One engine process."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        command = [sys.executable, str(Path(__file__).with_name("store_worker.py")), *arguments]
        self.process = subprocess.Popen(
            command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def wait_for_fetch(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "FETCHING"

    def finish(self) -> str:
        out, err = self.process.communicate(timeout=100)
        assert self.process.returncode == 0, err
        return out.split()[-1]


def test_eight_engines_fetch_a_file_from_the_origin_once(hub, place, tmp_path: Path) -> None:
    made = hub.add_direct("fleet.safetensors", size_bytes=16 << 20)
    store_url, environment = place
    workers = [
        Worker(
            [store_url, made["url"], str(made["size"]), made["sha256"], str(tmp_path / f"part-{n}"), "1", "60", "0.5"],
            environment,
        )
        for n in range(8)
    ]
    served = sorted(worker.finish() for worker in workers)
    assert served == ["origin"] + ["store"] * 7
    # Each continuation of a transfer repeats 4 KiB of proven bytes: four of them here, 0.1 %.
    assert hub.bytes_sent("direct/fleet.safetensors") / (16 << 20) == pytest.approx(1.0, abs=0.002)
    assert {(tmp_path / f"part-{n}").stat().st_size for n in range(8)} == {16 << 20}


def test_when_the_fetching_engine_is_killed_another_takes_over(hub, s3, tmp_path: Path) -> None:
    made = hub.add_direct("fleet.safetensors", size_bytes=4 << 20)
    store_url, environment = empty_bucket(s3)
    tail = ["0.2", "2"]
    doomed = Worker(
        [store_url, made["url"], str(made["size"]), made["sha256"], str(tmp_path / "doomed"), *tail, "hang"],
        environment,
    )
    doomed.wait_for_fetch()
    heirs = [
        Worker(
            [store_url, made["url"], str(made["size"]), made["sha256"], str(tmp_path / f"heir-{n}"), *tail, "0"],
            environment,
        )
        for n in range(3)
    ]
    doomed.process.send_signal(signal.SIGKILL)
    doomed.process.communicate()
    assert sorted(worker.finish() for worker in heirs) == ["origin", "store", "store"]
