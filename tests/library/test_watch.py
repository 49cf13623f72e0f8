"""Live: what is dropped in by hand is in the index soon, while a ComfyUI is attached."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.library.index.live import MOST_WATCHED, plan_live
from comfystow.core.library.watch import concerns_models
from comfystow.core.records.library import LibraryFilter
from comfystow.core.runtime import Runtime
from hub.server import Hub
from support.queues import Stage, listening
from support.shelves import safetensors

QUICK = {
    "library_debounce_seconds": 0.1,
    "library_settle_seconds": 0.2,
    "library_news_seconds": 0.05,
    "library_poll_seconds": 0.3,
}


@pytest.fixture
def stage(hub: Hub, tmp_path: Path) -> Stage:
    return Stage(hub, tmp_path)


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def names(runtime: Runtime) -> set[str]:
    return {file.relative_path for file in runtime.library.index.each(LibraryFilter())}


def comfyui(stage: Stage):
    return replace(stage.session(), url="http://127.0.0.1:8188")


async def test_files_that_come_go_and_move_are_seen_without_a_scan(stage: Stage, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (stage.models / "loras/linked").symlink_to(outside)
    async with stage.runtime(session=comfyui(stage), **QUICK) as runtime, listening(runtime) as heard:
        watch = runtime.librarian.watch
        await until(lambda: watch.following and runtime.library.last_scan is not None and watch._observer is not None)
        (stage.models / "loras/new").mkdir()
        (stage.models / "loras/new/a.safetensors").write_bytes(safetensors())
        (outside / "b.safetensors").write_bytes(safetensors())
        await until(lambda: names(runtime) == {"new/a.safetensors", "linked/b.safetensors"})
        (stage.models / "loras/new/a.safetensors").rename(stage.models / "vae/a.safetensors")
        (outside / "b.safetensors").unlink()
        await until(lambda: names(runtime) == {"a.safetensors"})
        await until(lambda: any("loras" in event.get("folders", ()) for event in heard))
        assert watch.problem is None
        # The last viewer goes.
        runtime.sessions.detach("comfyui-test")
        await until(lambda: not watch.following and watch._observer is None)
        (stage.models / "vae/c.safetensors").write_bytes(safetensors())
        await asyncio.sleep(0.6)
        assert names(runtime) == {"a.safetensors"}


async def test_a_command_is_no_viewer(stage: Stage) -> None:
    async with stage.runtime(**QUICK) as runtime:
        await asyncio.sleep(0.1)
        assert not runtime.librarian.watch.following


async def test_a_file_that_is_written_slowly_is_taken_once_it_is_whole(stage: Stage) -> None:
    content = safetensors(64)
    path = stage.models / "loras/slow.safetensors"
    async with stage.runtime(session=comfyui(stage), **QUICK) as runtime:
        await until(lambda: runtime.librarian.watch._observer is not None)
        with path.open("wb") as file:
            for start in range(0, len(content), 40):
                file.write(content[start : start + 40])
                file.flush()
                await asyncio.sleep(0.1)
                assert names(runtime) == set()
        await until(lambda: names(runtime) == {"slow.safetensors"})
        assert all(file.damaged is None for file in runtime.library.index.each(LibraryFilter()))


async def test_network_volumes_are_looked_at_now_and_then(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfystow.core.library.watch._is_network", lambda folder: True)
    async with stage.runtime(session=comfyui(stage), **QUICK) as runtime:
        watch = runtime.librarian.watch
        await until(lambda: watch._poller is not None)
        assert watch._plan.watched == ()
        (stage.models / "loras/far.safetensors").write_bytes(safetensors())
        await until(lambda: names(runtime) == {"far.safetensors"})


async def test_without_watchdog_a_word_says_so_and_scans_work(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchdog.observers", None)
    async with stage.runtime(session=comfyui(stage), **QUICK) as runtime:
        watch = runtime.librarian.watch
        await until(lambda: watch.problem is not None)
        assert "install `watchdog`" in (watch.problem or "")
        (stage.models / "loras/new.safetensors").write_bytes(safetensors())
        await asyncio.sleep(0.5)
        assert names(runtime) == set()
        await runtime.library.scan()
        await until(lambda: names(runtime) == {"new.safetensors"})


async def test_when_the_system_has_no_watch_left_folders_are_looked_at(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr("comfystow.core.library.watch._start", refuse)
    async with stage.runtime(session=comfyui(stage), **QUICK) as runtime:
        await until(lambda: runtime.librarian.watch.problem is not None)
        assert "inotify watch limit reached" in (runtime.librarian.watch.problem or "")
        (stage.models / "loras/new.safetensors").write_bytes(safetensors())
        await until(lambda: names(runtime) == {"new.safetensors"})


def test_one_watch_serves_the_folders_of_an_installation() -> None:
    models = Path("/comfy/models")
    roots = [models / "loras", models / "vae", Path("/data/loras"), Path("/data/loras/deep"), Path("/net/loras")]
    plan = plan_live(roots, lambda folder: folder.parts[1] == "net")
    assert plan.watched == (models, Path("/data/loras"))
    assert plan.polled == (Path("/net/loras"),)
    many = plan_live([Path(f"/{number}/x") for number in range(100)], lambda folder: False)
    assert (len(many.watched), len(many.polled)) == (MOST_WATCHED, 100 - MOST_WATCHED)


@pytest.mark.parametrize(
    ("kind", "source", "destination", "folder", "told"),
    [
        ("closed", "/m/a.safetensors", "", False, True),
        ("moved", "/m/a.safetensors.part", "/m/a.SAFETENSORS", False, True),
        ("modified", "/m/a.safetensors", "", False, False),
        ("opened", "/m/a.safetensors", "", False, False),
        ("closed_no_write", "/m/a.safetensors", "", False, False),
        ("created", "/m/a.safetensors.part", "", False, False),
        ("deleted", "/m/folder", "", True, True),
        ("modified", "/m/folder", "", True, False),
    ],
)
def test_only_what_may_be_a_model_wakes_the_library(
    kind: str, source: str, destination: str, folder: bool, told: bool
) -> None:
    assert concerns_models(kind, source, destination, folder) is told
