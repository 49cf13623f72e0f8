"""The queue over a real hub: what is asked for arrives once, in order, and can be stopped and gone on with."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import replace

import pytest
from comfystow.core.downloads.ledger import Ledger
from comfystow.core.downloads.store import DownloadStore
from comfystow.core.errors import AccessError, ConflictError, ForbiddenTypeError, NotFoundHereError, StowError
from comfystow.core.records.download import MOVES, Download, DownloadRequest, DownloadState, Verified
from comfystow.core.records.model import Folder, FolderLayout
from comfystow.core.transfer.part.journal import Lease, decode, encode, frame
from support.queues import LORA, TAESD, TAESD_BYTES, Stage, listening, reached, request

S = DownloadState
NAME = "taesd.safetensors"
FILE = f"Comfy-Stow/taesd-demo/{NAME}"


async def test_a_file_arrives_whole_under_its_name(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request())
        assert taken.state in {S.QUEUED, S.RESOLVING}
        done = await runtime.downloads.wait(taken.id)
    assert done.state is S.COMPLETED
    assert done.verified is Verified.DIGEST
    assert done.source.startswith("hf://Comfy-Stow/taesd-demo@")
    assert stage.files() == ["vae/taesd.safetensors"]
    data = (stage.models / "vae" / "taesd.safetensors").read_bytes()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == str(done.digest)


async def test_the_same_file_asked_for_at_once_by_many_is_one_download(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        taken = await asyncio.gather(*(runtime.downloads.submit(request()) for _ in range(20)))
        assert len({download.id for download in taken}) == 1
        done = await runtime.downloads.wait(taken[0].id)
        again = await runtime.downloads.submit(request())
        assert again == done
        assert len(runtime.downloads.list()) == 1
    assert stage.hub.bytes_sent(FILE) < 1.9 * TAESD_BYTES  # ends of segments may be asked for twice


async def test_one_file_by_two_names_of_its_source_is_fetched_once(stage: Stage) -> None:
    page = f"{stage.hub.hf_url}/Comfy-Stow/taesd-demo/blob/main/taesd.safetensors"
    pinned = "hf://Comfy-Stow/taesd-demo@main/taesd.safetensors"
    async with stage.runtime() as runtime:
        taken = [await runtime.downloads.submit(request(source)) for source in (TAESD, page, pinned)]
        done = [await runtime.downloads.wait(download.id) for download in taken]
    assert [download.state for download in done] == [S.COMPLETED] * 3
    assert stage.files() == ["vae/taesd.safetensors"]
    assert stage.hub.bytes_sent(FILE) < 1.9 * TAESD_BYTES  # ends of segments may be asked for twice


async def test_a_completed_file_that_was_removed_comes_again(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        done = await runtime.downloads.wait((await runtime.downloads.submit(request())).id)
        (stage.models / "vae" / "taesd.safetensors").unlink()
        again = await runtime.downloads.submit(request())
        assert again.id == done.id
        assert (await runtime.downloads.wait(again.id)).state is S.COMPLETED
    assert stage.files() == ["vae/taesd.safetensors"]


async def test_paused_keeps_the_part_and_resumed_goes_on_with_it(stage: Stage) -> None:
    rule = stage.hub.fault("rate", file="taesd*", bytes_per_second=300_000)
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request(connections=1))
        await reached(runtime, taken.id, lambda download: download.bytes_done > 300_000)
        paused = await runtime.downloads.pause(taken.id)
        assert (paused.state, paused.rate_bytes_per_second, paused.connections) == (S.PAUSED, None, None)
        assert stage.files() == ["vae/taesd.safetensors.part", "vae/taesd.safetensors.part.json"]
        stage.hub.clear_faults(rule)
        sent = stage.hub.bytes_sent(FILE)
        assert (await runtime.downloads.submit(request(connections=1))).id == taken.id  # asked for again: goes on
        assert (await runtime.downloads.wait(taken.id)).state is S.COMPLETED
    assert stage.files() == ["vae/taesd.safetensors"]
    assert stage.hub.bytes_sent(FILE) - sent < TAESD_BYTES - 200_000


async def test_cancelled_leaves_nothing_and_can_be_tried_again(stage: Stage) -> None:
    rule = stage.hub.fault("rate", file="taesd*", bytes_per_second=300_000)
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request())
        await reached(runtime, taken.id, lambda download: download.bytes_done > 0)
        assert (await runtime.downloads.cancel(taken.id)).state is S.CANCELLED
        assert stage.files() == []
        with pytest.raises(ConflictError, match="cancelled"):
            await runtime.downloads.resume(taken.id)
        stage.hub.clear_faults(rule)
        await runtime.downloads.retry(taken.id)
        assert (await runtime.downloads.wait(taken.id)).state is S.COMPLETED


@pytest.mark.parametrize(("lease_seconds", "left"), [(5.0, []), (300.0, [f"vae/{NAME}.part", f"vae/{NAME}.part.json"])])
async def test_part_of_a_network_volume_is_another_machine_s_for_as_long_as_the_setting_says(
    stage: Stage, monkeypatch, lease_seconds: float, left: list[str]
) -> None:
    monkeypatch.setattr("comfystow.core.transfer.part.abandon.on_network", lambda path: True)
    stage.hub.fault("rate", file="taesd*", bytes_per_second=300_000)
    async with stage.runtime(lease_timeout_seconds=lease_seconds) as runtime:
        taken = await runtime.downloads.submit(request())
        await reached(runtime, taken.id, lambda download: download.bytes_done > 0)
        await runtime.downloads.pause(taken.id)
        lease = Lease(owner="other", boot_id="b", pid_namespace="n", pid=1, heartbeat_at=time.time() - 30)
        journal = stage.models / "vae" / f"{NAME}.part.json"
        record, sequence = decode(journal.read_bytes())
        place, line = frame(encode(replace(record, lease=lease), sequence + 1), sequence + 1)
        with journal.open("r+b") as file:
            file.seek(place)
            file.write(line)
        await runtime.downloads.cancel(taken.id)
        assert stage.files() == left


async def test_a_closed_engine_goes_on_where_it_was(stage: Stage) -> None:
    rule = stage.hub.fault("rate", file="taesd*", bytes_per_second=300_000)
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request(connections=1))
        await reached(runtime, taken.id, lambda download: download.bytes_done > 300_000)
    stage.hub.clear_faults(rule)
    sent = stage.hub.bytes_sent(FILE)
    async with stage.runtime() as runtime:
        done = await runtime.downloads.wait(taken.id)
    assert done.state is S.COMPLETED
    assert stage.hub.bytes_sent(FILE) - sent < TAESD_BYTES - 200_000


async def test_paused_stays_paused_over_a_restart(stage: Stage) -> None:
    stage.hub.fault("rate", file="taesd*", bytes_per_second=300_000)
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request())
        await runtime.downloads.pause(taken.id)
    async with stage.runtime() as runtime:
        await asyncio.sleep(0.2)
        found = runtime.downloads.get(taken.id)
        assert found is not None
        assert found.state is S.PAUSED
        assert not runtime.downloads.busy


async def test_without_a_session_the_last_layout_is_used(stage: Stage) -> None:
    async with stage.runtime():
        pass
    from comfystow.core.runtime import open_runtime

    runtime = await open_runtime(stage.state_dir, stage.settings())
    try:
        assert runtime.sessions.last is not None
        assert runtime.sessions.last.saved_at > 0
        done = await runtime.downloads.wait((await runtime.downloads.submit(request())).id)
    finally:
        await runtime.close()
    assert done.state is S.COMPLETED
    assert stage.files() == ["vae/taesd.safetensors"]


async def test_a_file_that_is_asked_for_again_goes_where_the_folders_are_by_then(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        await runtime.downloads.wait((await runtime.downloads.submit(request())).id)
        (stage.models / "vae").rename(stage.models / "old")
        (stage.models / "old" / "taesd.safetensors").unlink()
        moved = replace(
            stage.session(), layout=FolderLayout(folders={"vae": Folder(directories=(stage.models / "new",))})
        )
        runtime.sessions.attach(moved)
        again = await runtime.downloads.wait((await runtime.downloads.submit(request(), moved)).id)
    assert again.state is S.COMPLETED
    assert stage.files() == ["new/taesd.safetensors"]


async def test_a_caller_brings_its_own_settings(stage: Stage) -> None:
    stage.hub.add_file("me/old", "old.ckpt", data=b"not really a pickle" * 100)
    wanted = request("hf://me/old/old.ckpt")
    session = stage.session(COMFYSTOW_ALLOW_PICKLE="1")
    async with stage.runtime(session=session) as runtime:
        with pytest.raises(ForbiddenTypeError):
            await runtime.downloads.submit(wanted)
        taken = await runtime.downloads.submit(wanted, session)
        done = await runtime.downloads.wait(taken.id)
    assert done.state is S.COMPLETED
    assert stage.files() == ["vae/old.ckpt"]


async def test_a_moved_download_runs_first(stage: Stage) -> None:
    stage.hub.fault("rate", file="*", bytes_per_second=20_000_000)
    async with stage.runtime(parallel_downloads=1) as runtime:
        first = await runtime.downloads.submit(request())
        names = ["a", "b", "c"]
        rows = [await runtime.downloads.submit(request(LORA, "loras", filename=f"{n}.safetensors")) for n in names]
        await runtime.downloads.move(rows[2].id, 0)
        for download in (first, *rows):
            await runtime.downloads.wait(download.id)
        done = sorted(runtime.downloads.list(), key=lambda download: download.finished_at or 0)
    assert [download.filename for download in done][1:] == ["c.safetensors", "a.safetensors", "b.safetensors"]


async def test_no_more_run_at_once_than_may(stage: Stage) -> None:
    stage.hub.fault("rate", file="*", bytes_per_second=400_000)
    async with stage.runtime(parallel_downloads=2) as runtime:
        for name in "abcd":
            await runtime.downloads.submit(request(filename=f"{name}.safetensors"))
        await reached(runtime, runtime.downloads.list()[0].id, lambda download: download.bytes_done > 0)
        states = [download.state.active for download in runtime.downloads.list()]
        assert states == [True, True, False, False]
        await runtime.downloads.pause_all()
        assert {download.state for download in runtime.downloads.list()} == {S.PAUSED}
        stage.hub.clear_faults()
        await runtime.downloads.resume_all()
        for download in runtime.downloads.list():
            assert (await runtime.downloads.wait(download.id)).state is S.COMPLETED


async def test_events_are_few_and_hold_neither_paths_nor_tokens(stage: Stage) -> None:
    direct = stage.hub.add_direct("plain.safetensors", size_bytes=3 << 20)
    stage.hub.fault("rate", file="plain*", bytes_per_second=1 << 20)
    started = asyncio.get_running_loop().time()
    async with stage.runtime(progress_seconds=0.25) as runtime, listening(runtime) as heard:
        await runtime.downloads.submit(request(f"{direct['url']}?token=verysecret"))
        for name in "ab":
            await runtime.downloads.submit(request(filename=f"{name}.safetensors"))
        for download in runtime.downloads.list():
            await runtime.downloads.wait(download.id)
        shown = runtime.downloads.list()
    elapsed = asyncio.get_running_loop().time() - started
    told = [event for event in heard if "downloads" in event]  # the library has news of its own
    assert 1 < len(told) <= elapsed / 0.25 + 2
    text = json.dumps(heard)
    assert str(stage.models) not in text
    assert "verysecret" not in text
    assert "verysecret" in json.dumps([download.request.source for download in shown])  # or it could not go on
    final = {row["id"]: row["state"] for event in told for row in event["downloads"]}
    assert final == {download.id: "completed" for download in shown}


async def test_finished_ones_are_forgotten_beyond_the_limit(stage: Stage) -> None:
    async with stage.runtime(history_limit=2) as runtime:
        for name in "abc":
            await runtime.downloads.wait(
                (await runtime.downloads.submit(request(LORA, "loras", filename=f"{name}.safetensors"))).id
            )
        assert [download.filename for download in runtime.downloads.list()] == ["c.safetensors", "b.safetensors"]
    store = DownloadStore(stage.state_dir)
    assert len(store.load()) == 2
    store.close()


@pytest.mark.parametrize("switch", ["read_only", "no_downloads"])
async def test_the_owner_can_switch_downloads_off(stage: Stage, switch: str) -> None:
    async with stage.runtime(**{switch: True}) as runtime:
        with pytest.raises(AccessError, match="switched off") as refused:
            await runtime.downloads.submit(request())
        assert f"COMFYSTOW_{switch.upper()}" in (refused.value.hint or "")
    assert stage.files() == []


async def test_an_unknown_id_is_told(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        for act in ("pause", "resume", "cancel", "retry", "wait"):
            with pytest.raises(NotFoundHereError):
                await getattr(runtime.downloads, act)("nobody")


class _Silent:
    def changed(self, download: Download) -> None:
        """Hear what would be announced."""

    def flush(self) -> None:
        """Nothing waits."""


@pytest.mark.parametrize("before", list(S))
@pytest.mark.parametrize("after", list(S))
def test_only_the_moves_of_the_table_are_made_and_each_is_on_disk_before_it_is_told(
    tmp_path, before: DownloadState, after: DownloadState
) -> None:
    store = DownloadStore(tmp_path)
    told: list[DownloadState] = []

    class Announcer(_Silent):
        def changed(self, download: Download) -> None:
            told.append(store.load()[0].state)
            assert told[-1] is download.state

    ledger = Ledger(store, Announcer(), 10)  # type: ignore[arg-type]
    row = Download(id="a", request=DownloadRequest(source="x"), state=before, source="x")
    ledger.add(row)
    if after is before or after in MOVES[before]:
        assert ledger.change("a", after).state is after
        assert told == [before, after]
    else:
        with pytest.raises(ConflictError):
            ledger.change("a", after)
        assert store.load()[0].state is before
    ledger.close()


async def test_a_full_state_folder_does_not_stop_the_queue(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request())
        database = stage.state_dir / "comfystow.sqlite"
        connection = runtime.downloads._ledger._store._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")  # SQLite says SQLITE_FULL, as on a full disk
        bulky = replace(taken, id="bulky", note="x" * 100_000)
        with pytest.raises(StowError, match="cannot be written"):
            runtime.downloads._ledger.add(bulky)
        assert (await runtime.downloads.wait(taken.id)).state is S.COMPLETED
    assert database.exists()
