"""The event stream and callers that do not read."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from comfystow.core.engine import stream
from comfystow.core.engine.presence import Presence
from comfystow.core.events import EventBus
from comfystow.core.records.event import Event, Topic


async def test_a_caller_that_reads_nothing_is_given_up_and_one_that_reads_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STUCK_SECONDS", 2.0)
    presence, leaving = Presence(), asyncio.Event()
    runtime = SimpleNamespace(events=EventBus())

    async def events(request: web.Request) -> web.StreamResponse:
        return await stream.stream_events(request, runtime, presence, leaving)  # type: ignore[arg-type]

    app = web.Application()
    app.router.add_get("/events", events)
    runner = web.AppRunner(app)
    await runner.setup()
    path = tmp_path / "s"
    await web.UnixSite(runner, str(path)).start()
    ask = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"
    lazy = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    lazy.connect(str(path))
    lazy.sendall(ask)
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(ask)
    reading = asyncio.create_task(reader.read())  # to its end
    try:
        async with asyncio.timeout(30):
            while presence.streams != 2:
                await asyncio.sleep(0.01)
            while presence.streams == 2:  # more than the socket's buffers hold
                runtime.events.publish(Event(Topic.DOWNLOADS, {"downloads": ["x" * 100_000]}))
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert presence.streams == 1
        assert not reading.done()
    finally:
        leaving.set()
        lazy.close()
        reading.cancel()
        writer.close()
        await runner.cleanup()
