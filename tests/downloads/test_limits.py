"""The bandwidth of a download and of all together, changed while they run; failed ones tried again together."""

from __future__ import annotations

import asyncio

import pytest
from comfystow.core.errors import ConflictError, UsageError
from comfystow.core.records.download import DownloadState as S
from support.queues import TAESD_BYTES, Stage, reached, request

SLOW = 50_000  # 98 s for this file: longer than a test may take


async def test_limit_is_lifted_while_it_runs(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        row = await runtime.downloads.submit(request(limit_rate_bytes_per_second=SLOW))
        await reached(runtime, row.id, lambda now: now.bytes_done > 0)
        assert runtime.downloads.get(row.id).state is S.RUNNING
        changed = await runtime.downloads.limit(row.id, 0)
        assert changed.request.limit_rate_bytes_per_second is None
        async with asyncio.timeout(30):
            assert (await runtime.downloads.wait(row.id)).state is S.COMPLETED


async def test_limit_is_set_while_it_runs_and_outlives_the_engine(stage: Stage) -> None:
    stage.hub.fault("rate", file="*", bytes_per_second=1_000_000)
    async with stage.runtime() as runtime:
        row = await runtime.downloads.submit(request())
        await reached(runtime, row.id, lambda now: now.bytes_done > 0)
        await runtime.downloads.limit(row.id, SLOW)
        slowed = await reached(runtime, row.id, lambda now: (now.rate_bytes_per_second or 1e9) < 4 * SLOW)
        assert slowed.bytes_done < TAESD_BYTES
    stage.hub.clear_faults()
    async with stage.runtime() as runtime:
        again = await reached(runtime, row.id, lambda now: now.rate_bytes_per_second is not None)
        assert again.request.limit_rate_bytes_per_second == SLOW
        await runtime.downloads.limit(row.id, 0)
        assert (await runtime.downloads.wait(row.id)).state is S.COMPLETED


async def test_limit_of_all_is_lifted_while_they_run(stage: Stage) -> None:
    async with stage.runtime(limit_rate_bytes_per_second=SLOW) as runtime:
        rows = [await runtime.downloads.submit(request(filename=f"{name}.safetensors")) for name in "ab"]
        await reached(runtime, rows[1].id, lambda now: now.bytes_done > 0)
        await runtime.change_settings({"limit_rate_bytes_per_second": None})
        async with asyncio.timeout(30):
            for row in rows:
                assert (await runtime.downloads.wait(row.id)).state is S.COMPLETED


async def test_what_has_ended_has_no_limit(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        row = await runtime.downloads.submit(request())
        await runtime.downloads.wait(row.id)
        with pytest.raises(ConflictError):
            await runtime.downloads.limit(row.id, 1000)
        with pytest.raises(UsageError):
            await runtime.downloads.limit(row.id, -1)


async def test_all_that_failed_are_tried_again_and_nothing_else(stage: Stage) -> None:
    stage.hub.fault("status", status=410, origin="hf", methods=["HEAD"], file="*")
    async with stage.runtime() as runtime:
        failed = [await runtime.downloads.submit(request(filename=f"{name}.safetensors")) for name in "ab"]
        for row in failed:
            assert (await runtime.downloads.wait(row.id)).state is S.FAILED
        stage.hub.clear_faults()
        paused = await runtime.downloads.submit(request(filename="c.safetensors", limit_rate_bytes_per_second=SLOW))
        await runtime.downloads.pause(paused.id)
        await runtime.downloads.retry_failed()
        for row in failed:
            assert (await runtime.downloads.wait(row.id)).state is S.COMPLETED
        assert runtime.downloads.get(paused.id).state is S.PAUSED
