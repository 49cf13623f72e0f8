"""A plan says what would become of each request and writes nothing."""

from __future__ import annotations

import json
import shutil

from comfystow.core.provision.placing.plan import PlanAction, plan_json
from support.queues import GATED, LORA, TAESD, TAESD_BYTES, Stage, reached, request


async def test_each_request_has_its_action_and_nothing_is_written(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        await runtime.downloads.wait((await runtime.downloads.submit(request())).id)
        (stage.models / "loras" / "stow_style.safetensors").write_bytes(b"another file")
        before = stage.files()
        stage.hub.add_file("me/plain", "odd.safetensors", size_bytes=1 << 16)
        wanted = [
            request(),
            request(filename="second.safetensors"),
            request(LORA, "loras"),
            request(LORA, "loras", filename="free.safetensors"),
            request(GATED),
            request("hf://Comfy-Stow/taesd-demo/nothing.safetensors"),
            request("https://evil.example/x.safetensors"),
            request(TAESD, "nonsense"),
            request("hf://me/plain/odd.safetensors", None),
        ]
        plan = await runtime.planner.plan(wanted, stage.session())
        assert stage.files() == before
        assert len(runtime.downloads.list()) == 1
    assert [item.action for item in plan.items[:4]] == [
        PlanAction.PRESENT,
        PlanAction.LINK,
        PlanAction.REFUSE,
        PlanAction.FETCH,
    ]
    codes = [item.error.code if item.error else None for item in plan.items]
    assert codes[2] == "name_taken"
    assert codes[4:] == [
        "token_required",
        "not_found_at_source",
        "host_not_allowed",
        "unknown_folder",
        "folder_unknown",
    ]
    assert plan.fetch_bytes == plan.items[3].size_bytes
    assert plan.fits
    shown = json.dumps(plan_json(plan, with_paths=False))
    assert str(stage.models) not in shown


async def test_the_whole_plan_must_fit_not_each_file(stage: Stage) -> None:
    size = 1 << 30
    links = [stage.hub.add_direct(f"{name}.safetensors", size_bytes=size, digest=False)["url"] for name in "ab"]
    floor = max(0, shutil.disk_usage(stage.models).free - size * 3 // 2)
    async with stage.runtime(free_space_floor_bytes=floor) as runtime:
        one = await runtime.planner.plan([request(links[0])], stage.session())
        both = await runtime.planner.plan([request(link) for link in links], stage.session())
        twice = await runtime.planner.plan([request(links[0]), request(links[0])], stage.session())
    assert (one.fits, both.fits, twice.fits) == (True, False, True)
    assert both.volumes[0].needed_bytes == 2 * size
    assert both.volumes[0].folders == ("vae",)


async def test_a_part_that_is_there_is_counted(stage: Stage) -> None:
    stage.hub.fault("rate", file="taesd*", bytes_per_second=1_000_000)
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request(connections=1))
        await reached(runtime, taken.id, lambda download: download.bytes_done > 1_000_000)
        await runtime.downloads.pause(taken.id)
        plan = await runtime.planner.plan([request()], stage.session())
    item = plan.items[0]
    assert item.action is PlanAction.RESUME
    assert item.fetch_bytes is not None
    assert item.fetch_bytes < TAESD_BYTES


async def test_settings_change_what_runs_and_stay(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        await runtime.change_settings({"parallel_downloads": 7, "limit_rate_bytes_per_second": 1_000_000})
        assert runtime.downloads.limits.parallel_downloads == 7
        assert runtime.settings.limit_rate_bytes_per_second == 1_000_000
        assert runtime.settings.free_space_floor_bytes == 0  # what only this engine was given stays
        shown = {row["name"]: row for row in runtime.show_settings()}
        assert shown["parallel_downloads"]["value"] == 7
        assert not {"allow_hosts", "allow_remote", "allow_pickle", "alert_webhook_secret"} & shown.keys()
        done = await runtime.downloads.submit(request())
        assert (await runtime.downloads.wait(done.id)).state == "completed"
        await runtime.change_settings({"parallel_downloads": None})
        assert runtime.downloads.limits.parallel_downloads == 3
    assert json.loads((stage.state_dir / "settings.json").read_text()) == {"limit_rate_bytes_per_second": 1_000_000}
