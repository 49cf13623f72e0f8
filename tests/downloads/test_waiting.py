"""Waiting downloads go on by themselves when what they wait for is there."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from comfystow.core.records.download import Download, DownloadState, WaitingFor
from comfystow.core.records.session import HostState
from support.queues import GATED, TAESD, Stage, reached, request

S = DownloadState


def waits_for(cause: WaitingFor):
    def looks(download: Download) -> bool:
        return download.state is S.WAITING and download.waiting_for is cause

    return looks


async def test_for_a_token_until_one_is_kept(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request(GATED))
        waiting = await reached(runtime, taken.id, waits_for(WaitingFor.TOKEN))
        assert waiting.error is not None
        assert waiting.error.code == "token_required"
        assert "auth set huggingface" in (waiting.error.hint or "")
        assert not runtime.downloads.busy
        asked = len(stage.hub.requests())
        await asyncio.sleep(0.3)
        assert len(stage.hub.requests()) == asked  # nobody is asked in vain
        runtime.credentials(None).set("huggingface", stage.hub.hf_token)
        done = await reached(runtime, taken.id, S.COMPLETED)
    assert done.error is None
    assert stage.files() == ["vae/stow_gated.safetensors"]


async def test_for_another_token_when_the_first_is_refused(stage: Stage) -> None:
    session = stage.session(HF_TOKEN="hf_wrongwrongwrong")
    async with stage.runtime(session=session) as runtime:
        taken = await runtime.downloads.submit(request(GATED), session)
        await reached(runtime, taken.id, waits_for(WaitingFor.TOKEN))
        runtime.sessions.attach(stage.session(HF_TOKEN=stage.hub.hf_token))
        await reached(runtime, taken.id, S.COMPLETED)
    assert stage.hub.hf_token not in "".join(
        path.read_text(errors="replace") for path in stage.state_dir.rglob("*") if path.is_file()
    )


async def test_for_a_token_that_comes_while_no_engine_runs(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request(GATED))
        await reached(runtime, taken.id, waits_for(WaitingFor.TOKEN))
        credentials = runtime.credentials(None)
    credentials.set("huggingface", stage.hub.hf_token)
    async with stage.runtime() as runtime:
        await reached(runtime, taken.id, S.COMPLETED)


async def test_for_a_licence_until_it_is_accepted(stage: Stage) -> None:
    session = stage.session(HF_TOKEN=stage.hub.hf_token_without_licence)
    async with stage.runtime(session=session) as runtime:
        taken = await runtime.downloads.submit(request(GATED), session)
        waiting = await reached(runtime, taken.id, waits_for(WaitingFor.LICENCE))
        assert waiting.error is not None
        assert waiting.error.code == "licence_required"
        stage.hub.accept_licence("Comfy-Stow/gated-demo")
        await reached(runtime, taken.id, S.COMPLETED)


async def test_for_space_until_there_is_some_and_nothing_is_written_before(stage: Stage) -> None:
    ballast = stage.models.parent / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 1 << 30)
    # A quarter of the ballast is more than the rest of this machine takes or frees meanwhile.
    floor = shutil.disk_usage(stage.models).free + (1 << 28)
    async with stage.runtime(free_space_floor_bytes=floor) as runtime:
        taken = await runtime.downloads.submit(request())
        waiting = await reached(runtime, taken.id, waits_for(WaitingFor.SPACE))
        assert waiting.error is not None
        assert waiting.error.code == "not_enough_space"
        assert stage.files() == []
        ballast.unlink()
        await reached(runtime, taken.id, S.COMPLETED)


async def test_what_is_under_way_takes_its_share_of_the_space(stage: Stage) -> None:
    size = 1 << 30
    links = [stage.hub.add_direct(f"{name}.safetensors", size_bytes=size, digest=False)["url"] for name in "ab"]
    stage.hub.fault("rate", origin="cdn", bytes_per_second=200_000)
    floor = max(0, shutil.disk_usage(stage.models).free - size * 3 // 2)
    async with stage.runtime(free_space_floor_bytes=floor) as runtime:
        first = await runtime.downloads.submit(request(links[0], connections=1))
        await reached(runtime, first.id, lambda download: download.bytes_done > 0)
        second = await runtime.downloads.submit(request(links[1], connections=1))
        await reached(runtime, second.id, waits_for(WaitingFor.SPACE))
        assert [name for name in stage.files() if name.startswith("vae/b")] == []
        await runtime.downloads.cancel(first.id)
        await reached(runtime, second.id, S.RUNNING)


async def test_for_a_generation_to_end(stage: Stage) -> None:
    rule = stage.hub.fault("rate", file="taesd*", bytes_per_second=300_000)
    async with stage.runtime(pause_while_generating=True) as runtime:
        taken = await runtime.downloads.submit(request())
        await reached(runtime, taken.id, lambda download: download.bytes_done > 0)
        runtime.sessions.tell("comfyui-test", HostState(queue_running=1))
        await reached(runtime, taken.id, waits_for(WaitingFor.GENERATION))
        second = await runtime.downloads.submit(request(filename="second.safetensors"))
        await asyncio.sleep(0.2)
        assert (await reached(runtime, second.id, lambda _: True)).state is S.QUEUED
        assert runtime.downloads.busy
        stage.hub.clear_faults(rule)
        runtime.sessions.tell("comfyui-test", HostState(queue_running=0))
        await reached(runtime, taken.id, S.COMPLETED)
        await reached(runtime, second.id, S.COMPLETED)


async def test_a_comfyui_that_says_nothing_more_holds_nothing(stage: Stage) -> None:
    async with stage.runtime(pause_while_generating=True, host_state_timeout_seconds=0.3) as runtime:
        runtime.sessions.tell("comfyui-test", HostState(queue_running=1))
        taken = await runtime.downloads.submit(request())
        assert taken.state is S.QUEUED
        await reached(runtime, taken.id, S.COMPLETED)


async def test_for_a_dead_host_to_come_back(stage: Stage) -> None:
    async with stage.runtime(retry_limit=1000) as runtime:
        stage.hub.kill()
        try:
            taken = await runtime.downloads.submit(request())
            waiting = await reached(runtime, taken.id, waits_for(WaitingFor.HOST))
        finally:
            stage.hub.start()
        assert waiting.error is not None
        assert waiting.error.code == "connect_failed"
        await reached(runtime, taken.id, S.COMPLETED)


async def test_a_host_that_stays_dead_fails_the_download_and_nothing_is_written(stage: Stage) -> None:
    async with stage.runtime(retry_limit=2) as runtime:
        stage.hub.kill()
        try:
            taken = await runtime.downloads.submit(request())
            failed = await reached(runtime, taken.id, S.FAILED)
        finally:
            stage.hub.start()
        assert failed.error is not None
        assert failed.error.code == "connect_failed"
        assert failed.error.hint
        assert stage.files() == []
        await runtime.downloads.retry_failed()
        await reached(runtime, taken.id, S.COMPLETED)


@pytest.mark.parametrize("act", ["resume", "retry"])
async def test_the_user_need_not_wait(stage: Stage, act: str) -> None:
    async with stage.runtime(retry_base_seconds=600, retry_max_seconds=600) as runtime:
        stage.hub.kill()
        try:
            taken = await runtime.downloads.submit(request())
            await reached(runtime, taken.id, waits_for(WaitingFor.HOST))
        finally:
            stage.hub.start()
        await getattr(runtime.downloads, act)(taken.id)
        await reached(runtime, taken.id, S.COMPLETED)


async def test_a_second_engine_on_the_volume_waits_for_the_first(stage: Stage, tmp_path: Path) -> None:
    rule = stage.hub.fault("rate", file="taesd*", bytes_per_second=300_000)
    other = Stage.__new__(Stage)
    other.hub, other.models, other.state_dir = stage.hub, stage.models, tmp_path / "other"
    async with stage.runtime() as one, other.runtime() as two:
        first = await one.downloads.submit(request(TAESD))
        await reached(one, first.id, lambda download: download.bytes_done > 0)
        second = await two.downloads.submit(request(TAESD))
        waiting = await reached(two, second.id, waits_for(WaitingFor.HOST))
        assert waiting.error is not None
        assert waiting.error.code == "locked"
        stage.hub.clear_faults(rule)
        await reached(one, first.id, S.COMPLETED)
        done = await reached(two, second.id, S.COMPLETED)
    assert done.note == "was there already"
