"""What several callers do to one download at once: what was told last counts, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.downloads.ledger import Ledger
from comfystow.core.downloads.store import DownloadStore
from comfystow.core.errors import StorageError
from comfystow.core.records.download import Download, DownloadRequest, DownloadState
from comfystow.core.records.session import HostState
from comfystow.core.runtime import Runtime
from support.queues import TAESD, Stage, listening, reached, request

S = DownloadState


async def _under_way(stage: Stage, runtime: Runtime) -> tuple[str, str]:
    """Begin a slow download; the second is the rule that makes it slow."""
    rule = stage.hub.fault("rate", file="taesd*", bytes_per_second=300_000)
    taken = await runtime.downloads.submit(request(connections=1))
    await reached(runtime, taken.id, lambda download: download.bytes_done > 0)
    return taken.id, rule


def _slow_end(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each run need a while to come to rest, as on a network volume."""
    run = type(runtime.downloads._runner._worker).run

    async def slow(*args: Any) -> None:
        try:
            await run(*args)
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)
            raise

    monkeypatch.setattr(type(runtime.downloads._runner._worker), "run", slow)


async def test_a_removed_file_that_many_ask_for_again_at_once_is_one_run(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        done = await runtime.downloads.wait((await runtime.downloads.submit(request())).id)
        (stage.models / "vae" / "taesd.safetensors").unlink()
        asked: list[Callable[[], Any]] = [lambda: runtime.downloads.submit(request())] * 5
        asked += [lambda: runtime.downloads.retry(done.id)] * 5
        taken = await asyncio.gather(*(ask() for ask in asked))
        assert {download.id for download in taken} == {done.id}
        again = await runtime.downloads.wait(done.id)
        assert (again.state, again.error) == (S.COMPLETED, None)
    assert stage.files() == ["vae/taesd.safetensors"]


@pytest.mark.parametrize("act", ["resume", "retry", "submit"])
async def test_what_is_paused_and_resumed_at_once_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    async with stage.runtime() as runtime:
        _slow_end(runtime, monkeypatch)
        download_id, rule = await _under_way(stage, runtime)
        pausing = asyncio.create_task(runtime.downloads.pause(download_id))
        await asyncio.sleep(0.05)
        stage.hub.clear_faults(rule)
        again = request(connections=1) if act == "submit" else download_id
        await getattr(runtime.downloads, act)(again)
        assert (await pausing).state is S.PAUSED
        await reached(runtime, download_id, S.COMPLETED)


async def test_what_is_asked_for_while_it_is_cancelled_comes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage.runtime() as runtime:
        _slow_end(runtime, monkeypatch)
        download_id, rule = await _under_way(stage, runtime)
        cancelling = asyncio.create_task(runtime.downloads.cancel(download_id))
        await asyncio.sleep(0.05)
        stage.hub.clear_faults(rule)
        assert (await runtime.downloads.submit(request(connections=1))).id == download_id
        assert (await cancelling).state is S.CANCELLED
        await reached(runtime, download_id, S.COMPLETED)
    assert stage.files() == ["vae/taesd.safetensors"]


@pytest.mark.parametrize(("act", "state"), [("pause", S.PAUSED), ("cancel", S.CANCELLED)])
async def test_a_generation_that_begins_meanwhile_takes_no_pause_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, act: str, state: DownloadState
) -> None:
    async with stage.runtime(pause_while_generating=True) as runtime:
        _slow_end(runtime, monkeypatch)
        download_id, _ = await _under_way(stage, runtime)
        stopping = asyncio.create_task(getattr(runtime.downloads, act)(download_id))
        await asyncio.sleep(0.05)
        runtime.sessions.tell("comfyui-test", HostState(queue_running=1))
        assert (await stopping).state is state
        runtime.sessions.tell("comfyui-test", HostState(queue_running=0))
        await asyncio.sleep(0.3)  # several looks
        assert (await reached(runtime, download_id, lambda _: True)).state is state
    assert "the look at what waits failed" not in caplog.text


async def test_a_pause_during_the_stop_for_a_generation_stays(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage.runtime(pause_while_generating=True) as runtime:
        _slow_end(runtime, monkeypatch)
        download_id, _ = await _under_way(stage, runtime)
        runtime.sessions.tell("comfyui-test", HostState(queue_running=1))
        await asyncio.sleep(0.15)  # the look has begun to stop it
        await runtime.downloads.pause(download_id)
        runtime.sessions.tell("comfyui-test", HostState(queue_running=0))
        await asyncio.sleep(0.3)
        assert (await reached(runtime, download_id, lambda _: True)).state is S.PAUSED


async def test_all_are_paused_also_when_one_ends_meanwhile(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage.runtime(parallel_downloads=1) as runtime:
        _slow_end(runtime, monkeypatch)
        first, _ = await _under_way(stage, runtime)
        second = await runtime.downloads.submit(request(filename="second.safetensors"))
        cancelling = asyncio.create_task(runtime.downloads.cancel(first))
        await asyncio.sleep(0.05)
        await runtime.downloads.pause_all()
        await cancelling
        assert {row.id: row.state for row in runtime.downloads.list()} == {first: S.CANCELLED, second.id: S.PAUSED}


async def test_cancelling_here_leaves_the_part_of_another_engine(stage: Stage, tmp_path: Path) -> None:
    other = Stage.__new__(Stage)
    other.hub, other.models, other.state_dir = stage.hub, stage.models, tmp_path / "other"
    async with stage.runtime() as one, other.runtime() as two:
        first, rule = await _under_way(stage, one)
        second = await two.downloads.submit(request(TAESD))
        await reached(two, second.id, S.WAITING)
        assert (await two.downloads.cancel(second.id)).state is S.CANCELLED
        assert "vae/taesd.safetensors.part" in stage.files()
        stage.hub.clear_faults(rule)
        await reached(one, first, S.COMPLETED)
    assert stage.files() == ["vae/taesd.safetensors"]


class _Silent:
    def changed(self, download: Download) -> None:
        """Tell nobody."""

    def flush(self) -> None:
        """Nothing waits."""


def _ledger(tmp_path: Path, limit: int) -> Ledger:
    return Ledger(DownloadStore(tmp_path), _Silent(), limit)  # type: ignore[arg-type]


def _row(number: int, state: DownloadState) -> Download:
    source = f"https://huggingface.co/a/b/resolve/main/{number}.safetensors"
    return Download(id=f"{number:05}", request=DownloadRequest(source=source), state=state, source=source,
                    position=float(number))  # fmt: skip


def test_a_history_that_cannot_be_shortened_fails_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = _ledger(tmp_path, 1)
    ledger.add(_row(1, S.COMPLETED))

    def full(_store: DownloadStore, _ids: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(DownloadStore, "remove", full)
    ledger.add(_row(2, S.PLACING))
    assert ledger.change("00002", S.COMPLETED).state is S.COMPLETED
    monkeypatch.undo()
    ledger.add(_row(3, S.PLACING))
    ledger.change("00003", S.COMPLETED)
    assert [row.id for row in ledger.rows()] == ["00003"]
    ledger.close()


def test_who_asks_again_finds_the_row_also_after_a_restart_and_not_after_it_was_forgotten(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path, 1)
    ledger.add(_row(1, S.COMPLETED))
    assert ledger.same_as(_row(1, S.QUEUED).request) == ledger.get("00001")
    ledger.close()
    again = _ledger(tmp_path, 1)
    again.open()
    assert again.same_as(replace(_row(1, S.QUEUED).request, sha256="a" * 64)) == again.get("00001")
    again.add(replace(_row(2, S.COMPLETED), finished_at=1.0))
    assert again.same_as(_row(1, S.QUEUED).request) is None
    again.close()


async def test_thousands_change_with_one_write_and_are_told_in_small_events(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.runtime(parallel_downloads=1) as runtime, listening(runtime) as heard:
        runtime.downloads._ledger.keep([_row(number, S.PAUSED) for number in range(1, 1001)])
        writes: list[int] = []
        save = DownloadStore.save

        def counted(store: DownloadStore, rows: Iterable[Download], *, durable: bool = False) -> None:
            writes.append(1)
            save(store, rows, durable=durable)

        monkeypatch.setattr(DownloadStore, "save", counted)
        await runtime.downloads.resume_all()
        await runtime.downloads.pause_all()
        assert {row.state for row in runtime.downloads.list()} == {S.PAUSED}
        assert len(writes) < 10
        async with asyncio.timeout(20):
            while len({row["id"] for event in heard for row in event["downloads"] if row["state"] == "paused"}) < 1000:
                await asyncio.sleep(0.05)
    assert max(len(event["downloads"]) for event in heard) <= 200
