"""A file by name or digest on both hubs: how sure each find is, and what tells namesakes apart."""

from __future__ import annotations

import asyncio
import time

import pytest
from comfystow.core.records.workflow import Confidence
from comfystow.core.sources.find_file import FileFinder
from comfystow.core.sources.search import Search
from support.wayout import WayOut, way_out


def finder(way: WayOut) -> FileFinder:
    search = Search(way.client, way.settings, way.sources.civitai, pause_seconds=0.0)
    return FileFinder(search, way.sources.huggingface, way.sources.civitai)


async def find(way: WayOut, name: str, folder: str | None = None, sha256: str | None = None, credentials=None):
    return await finder(way).find(name, folder_name=folder, sha256=sha256, credentials=credentials or way.nobody)


async def digest(way: WayOut, ref: str) -> str:
    file = await way.sources.resolve(way.sources.parse(ref), way.nobody)
    return file.digest.hex


async def test_a_name_is_found_in_a_repository_with_size_and_digest_and_is_only_likely(way) -> None:
    best = (await find(way, "taesd.safetensors")).candidates[0]
    assert best.source == "hf://Comfy-Stow/taesd-demo/taesd.safetensors"
    assert best.confidence is Confidence.LIKELY
    assert best.sha256 == await digest(way, best.source)
    assert best.size_bytes
    assert "Comfy-Stow/taesd-demo on Hugging Face" in best.reason


async def test_a_name_is_found_in_a_version_on_civitai(way) -> None:
    found = (await find(way, "stow_style_v1.safetensors", "loras")).candidates
    assert found[0].source == "civitai://1001@2000?file=3000"
    assert (found[0].confidence, found[0].base_model) == (Confidence.LIKELY, "SD 1.5")


async def test_an_embedded_digest_is_looked_up_and_its_find_is_exact(hub, way) -> None:
    sha256 = await digest(way, "civitai://1006@2050?file=3050")
    hub.clear_requests()
    (found,) = (await find(way, "any name.safetensors", "vae", sha256)).candidates
    assert (found.source, found.confidence) == ("civitai://1006@2050?file=3050", Confidence.EXACT)
    assert hub.requests(origin="hf") == []


async def test_namesakes_are_told_apart_by_digest(hub, way) -> None:
    for owner, seed in (("one", 1), ("two", 1), ("three", 3)):
        hub.add_file(f"{owner}/same-name-here", "same-name.safetensors", size_bytes=4096, seed=seed)
    found = (await find(way, "same-name.safetensors")).candidates
    assert [row.source.split("/")[2] for row in found][2] == "three"
    assert "the same bytes in 1 more place" in found[0].reason
    assert "2 different files are called so" in found[2].reason
    wanted = found[2].sha256
    (only,) = (await find(way, "same-name.safetensors", sha256=wanted)).candidates
    assert (only.sha256, only.confidence) == (wanted, Confidence.EXACT)


async def test_a_gated_repository_says_so_and_a_licence_is_named(hub, way) -> None:
    found = (await find(way, "stow_gated.safetensors", credentials=way.member)).candidates
    assert found[0].gated is True


async def test_a_file_of_another_folder_is_a_guess(way) -> None:
    found = (await find(way, "taesd_copy.safetensors", "loras")).candidates
    assert found[0].confidence is Confidence.GUESS
    assert "for vae" in found[0].reason


async def test_a_hub_that_is_down_is_told_and_hides_nothing_of_the_other(hub, way) -> None:
    hub.fault("status", origin="civitai", path="/api/*", status=503)
    finds = await find(way, "taesd.safetensors")
    assert finds.errors["civitai"].code == "server_error"
    assert finds.candidates


async def test_trees_are_read_once_and_few_at_a_time(hub, way) -> None:
    found = finder(way)
    ask = {"folder_name": None, "sha256": None, "credentials": way.nobody}
    first = await found.find("taesd.safetensors", **ask)
    hub.clear_requests()
    assert (await found.find("taesd.safetensors", **ask)) == first
    assert hub.requests() == []


async def test_a_search_that_is_left_ends(hub, way) -> None:
    hub.fault("delay", origin="hf", path="/api/models/*", seconds=30)
    task = asyncio.create_task(find(way, "taesd.safetensors"))
    await asyncio.sleep(0.3)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 5


async def test_offline_asks_civitai_alone(hub) -> None:
    async with way_out(hub, hf_offline=True) as way:
        hub.clear_requests()
        await find(way, "stow_style_v1.safetensors", "loras")
        assert hub.requests(origin="hf") == []
