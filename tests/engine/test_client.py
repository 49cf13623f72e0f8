"""The engine as ComfyUI's server uses it: coroutines that never block, over engines' ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.config import Settings
from comfystow.core.engine import client as client_module
from comfystow.core.engine.client import EngineClient
from comfystow.core.errors import EngineError, NotFoundHereError
from support.engines import kill, living_engines

OpenAsync = Callable[..., EngineClient]


@pytest.fixture
async def open_async(state_dir: Path, settings: Settings) -> AsyncIterator[OpenAsync]:
    """Open clients; all are closed with the test."""
    async with contextlib.AsyncExitStack() as stack:

        def open_one(**options: Any) -> EngineClient:
            client = EngineClient(state_dir, settings, **options)
            stack.push_async_callback(client.close)
            return client

        yield open_one


async def test_callers_that_come_at_once_share_one_attach(open_async: OpenAsync, state_dir: Path) -> None:
    client = open_async()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    statuses = await asyncio.gather(*(client.call("GET", "/engine") for _ in range(10)))
    ticking.cancel()
    assert len({status["pid"] for status in statuses}) == len(living_engines(state_dir)) == 1
    assert ticks > 100  # an engine was started meanwhile, and the loop went on


async def test_errors_come_as_the_errors_they_were(open_async: OpenAsync) -> None:
    with pytest.raises(NotFoundHereError, match="nothing"):
        await open_async().call("POST", "/downloads/nothing/pause")


async def test_engine_that_ends_before_it_knows_who_we_are_is_followed_by_the_next(
    open_async: OpenAsync, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found_first: list[int] = []
    find = client_module.find_or_start

    def find_and_lose(*words: Any, **options: Any) -> Any:
        found = find(*words, **options)
        if not found_first:
            found_first.append(found.info.pid)
            kill(found.info.pid)
        return found

    monkeypatch.setattr(client_module, "find_or_start", find_and_lose)
    client = open_async(session={"server_id": "test"})
    status = await client.call("GET", "/engine")
    assert status["pid"] not in found_first
    assert status["sessions"] == 1


async def test_relay_gives_status_and_bytes_as_they_are(open_async: OpenAsync) -> None:
    client = open_async()
    good = await client.relay("GET", "/downloads", None)
    assert (good.status, good.content_type, json.loads(good.body)) == (200, "application/json", {"downloads": []})
    bad = await client.relay("POST", "/downloads", b"{")
    assert (bad.status, json.loads(bad.body)["error"]["code"]) == (400, "usage")
    one_segment = await client.relay("POST", "/downloads/%2e%2e%2fengine/stop", b"{}")
    assert one_segment.status == 404
    assert (await client.call("GET", "/engine"))["leaving"] is False


async def test_request_goes_to_the_next_engine_when_one_is_killed(open_async: OpenAsync) -> None:
    client = open_async(session={"server_id": "comfyui-1"})
    first = await client.call("GET", "/engine")
    assert first["sessions"] == 1
    kill(first["pid"])
    second = await client.call("GET", "/engine")
    assert second["pid"] != first["pid"]
    assert second["sessions"] == 1  # the session was introduced again


async def test_many_requests_at_once_survive_a_kill(open_async: OpenAsync, state_dir: Path) -> None:
    client = open_async()
    await client.ready()
    asyncio.get_running_loop().call_later(0.05, kill, living_engines(state_dir)[0])
    answers = await asyncio.gather(*(client.request("GET", "/downloads") for _ in range(60)))
    assert {status for status, _ in answers} == {200}


async def test_stream_ends_with_the_engine_and_the_next_one_begins_anew(open_async: OpenAsync) -> None:
    client = open_async()
    pid = (await client.call("GET", "/engine"))["pid"]
    topics = []
    async for event in client.events():
        topics.append(event["topic"])
        if len(topics) == 1:
            kill(pid)
    assert topics == ["hello"]
    async with contextlib.aclosing(client.events()) as events:
        assert (await anext(events))["topic"] == "hello"


async def test_stream_takes_an_event_longer_than_a_line_buffer(open_async: OpenAsync) -> None:
    client = open_async()
    async with contextlib.aclosing(client.events()) as events:
        await anext(events)
        for number in range(150):
            source = f"hf://owner/{'long-name-' * 8}{number}/file.safetensors"
            await client.call("POST", "/downloads", {"source": source, "folder_name": "loras"})
        await client.call("POST", "/downloads/pause-all", {})
        longest = 0
        async for event in events:
            longest = max(longest, len(json.dumps(event)))
            if longest > 1 << 16:
                break
    assert longest > 1 << 16


async def test_without_start_an_absent_engine_is_an_error(open_async: OpenAsync, state_dir: Path) -> None:
    with pytest.raises(EngineError, match="no engine runs"):
        await open_async(start=False).call("GET", "/engine")
    assert living_engines(state_dir) == []
