"""Search on both sites: ranked, cached, rate-limited, cancellable."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from comfystow.core.errors import UsageError
from comfystow.core.sources.search import Search
from support.wayout import WayOut, way_out


def searching(way: WayOut, pause_seconds: float = 0.0) -> Search:
    return Search(way.client, way.settings, way.sources.civitai, pause_seconds=pause_seconds)


async def test_both_sites_are_asked_and_ranked_together(way) -> None:
    result = await searching(way).find("stow")
    assert {hit.provider for hit in result.hits} == {"huggingface", "civitai"}
    assert result.errors == {}
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)


async def test_the_nearest_title_comes_first(way) -> None:
    assert (await searching(way).find("taesd-demo")).hits[0].title == "Comfy-Stow/taesd-demo"
    assert (await searching(way).find("Stow Style")).hits[0].source == "civitai://1001@2001"


async def test_a_hit_is_a_reference_that_resolves(way) -> None:
    hits = (await searching(way).find("Stow Tiny VAE", provider="civitai")).hits
    file = await way.sources.resolve(way.sources.parse(hits[0].source), way.nobody)
    assert file.folder_hint == hits[0].folder_name == "vae"


async def test_a_folder_narrows_to_its_kind(way) -> None:
    hits = (await searching(way).find("stow", folder_name="vae", provider="civitai")).hits
    assert {hit.folder_name for hit in hits} == {"vae"}


async def test_the_same_question_is_asked_once(hub, way) -> None:
    search = searching(way)
    first = await search.find("stow")
    hub.clear_requests()
    assert await search.find("  STOW ") == first
    assert hub.requests() == []


async def test_answers_for_a_token_are_not_given_to_others(hub, way) -> None:
    search = searching(way)
    mine = await search.find("private", provider="huggingface", credentials=way.member)
    others = await search.find("private", provider="huggingface", credentials=way.nobody)
    assert [hit.title for hit in mine.hits] == ["Comfy-Stow/private-demo"]
    assert others.hits == ()


async def test_requests_to_one_site_keep_their_distance(hub, way) -> None:
    search = searching(way, pause_seconds=0.2)
    await asyncio.gather(*(search.find(f"stow {number}", provider="civitai") for number in range(3)))
    at = [row["at"] for row in hub.requests(origin="civitai")][-3:]
    assert all(later - earlier > 0.1 for earlier, later in pairwise(at))


async def test_a_site_that_is_down_does_not_hide_the_other(hub, way) -> None:
    hub.fault("status", origin="civitai", path="/api/*", status=503)
    result = await searching(way).find("stow")
    assert {hit.provider for hit in result.hits} == {"huggingface"}
    assert result.errors["civitai"].code == "server_error"


async def test_a_failure_is_not_remembered(hub, way) -> None:
    search = searching(way)
    rule = hub.fault("status", origin="civitai", path="/api/*", status=503)
    assert (await search.find("stow", provider="civitai")).errors
    hub.clear_faults(rule)
    assert (await search.find("stow", provider="civitai")).hits


async def test_a_search_that_is_cancelled_stops_at_once(hub, way) -> None:
    hub.fault("delay", origin="civitai", path="/api/*", seconds=30)
    task = asyncio.create_task(searching(way).find("stow", provider="civitai"))
    await asyncio.sleep(0.2)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(("query", "provider"), [("", None), ("  ", None), ("x", "nobody")])
async def test_a_question_must_be_one(way, query: str, provider: str | None) -> None:
    with pytest.raises(UsageError):
        await searching(way).find(query, provider=provider)


@pytest.mark.parametrize(
    "body", ["{}", "[3, null, {}]", '[{"id": 3}]', '[{"id": "../x"}]', '{"items": [3, {"id": "x"}]}']
)
async def test_hostile_answers_give_no_hits(hub, way, body: str) -> None:
    for origin in ("hf", "civitai"):
        hub.fault("status", origin=origin, path="/api/*", status=200, body=body, content_type="application/json")
    assert (await searching(way).find("stow")).hits == ()


async def test_offline_leaves_hugging_face_out(hub) -> None:
    async with way_out(hub, hf_offline=True) as way:
        hub.clear_requests()
        assert {hit.provider for hit in (await searching(way).find("stow")).hits} == {"civitai"}
        assert hub.requests(origin="hf") == []
