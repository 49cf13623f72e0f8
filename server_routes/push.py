"""Events of the engine on their way to the browsers, and what ComfyUI does on its way to the engine.

Both live as long as somebody looks or something goes on: without a browser and without a download the session ends,
and with it, when nobody else is there, the engine.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ..core.errors import StowError
from ..core.records.json import to_json
from ..core.records.session import HostState, UsedModel

if TYPE_CHECKING:
    from ..core.engine.client import EngineClient

_log = logging.getLogger("comfystow.host")

_AGAIN_SECONDS = 1.0
_LOOK_SECONDS = 1.0
_REPEAT_SECONDS = 4.0
_BUSY_LOOK_SECONDS = 5.0
_LINGER_SECONDS = 30.0
_MOST_UNTOLD = 1000


class Host(Protocol):
    """ComfyUI, as far as events need it (`server_routes/host.py`)."""

    def send(self, event: str, data: object) -> None:
        """Send an event to every browser."""

    def viewers(self) -> int:
        """Return how many browsers are connected."""

    def state(self) -> HostState:
        """Return what ComfyUI does now; cheap."""

    def files_changed(self, folder_name: str) -> None:
        """Drop what is remembered of a folder's files."""


class Push:
    """Keeps one event stream open while it is wanted. On the host's loop."""

    def __init__(self, client: EngineClient, host: Host, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._host = host
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._wanted_until = 0.0
        self._said_hello = False

    def want(self) -> None:
        """Somebody asked for something: have a stream for a while, or keep the one there is."""
        self._wanted_until = self._clock() + _LINGER_SECONDS
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._pump(), name="comfystow-events"),
                asyncio.create_task(self._tell(), name="comfystow-state"),
            ]

    async def close(self) -> None:
        """End the stream."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self) -> None:
        while True:
            try:
                async for event in self._client.events():
                    self._pass_on(event)
                    if not await self._still_wanted():
                        await self._client.close()
                        self._end_soon()
                        return
            except StowError as err:
                _log.info("no events from the engine: %s", err.message)
            await asyncio.sleep(_AGAIN_SECONDS)

    def _end_soon(self) -> None:
        """Stop telling, and be ready to begin again."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _still_wanted(self) -> bool:
        now = self._clock()
        if self._host.viewers():
            self._wanted_until = max(self._wanted_until, now + _LINGER_SECONDS)
        if now < self._wanted_until:
            return True
        status = await self._client.call("GET", "/engine")
        self._wanted_until = now + (_BUSY_LOOK_SECONDS if status.get("busy") else 0.0)
        return bool(status.get("busy"))

    def _pass_on(self, event: dict[str, object]) -> None:
        topic, data = event.get("topic"), event.get("data")
        if topic == "hello":
            if self._said_hello:  # another stream than before: what happened in between was missed
                self._host.send("comfystow.notice", {"kind": "lost"})
            self._said_hello = True
            return
        if topic == "heartbeat":
            return
        if topic == "downloads" and isinstance(data, dict):
            for download in data.get("downloads", []):
                if download.get("state") == "completed" and download.get("folder_name"):
                    self._host.files_changed(download["folder_name"])
        if topic == "library" and isinstance(data, dict):
            for folder in data.get("folders", []):
                self._host.files_changed(folder)
        self._host.send(f"comfystow.{topic}", data)

    async def _tell(self) -> None:
        """Tell the engine what ComfyUI does: at once when it changes, and now and then so that it is known to live."""
        last, told_at = None, 0.0
        untold: tuple[UsedModel, ...] = ()
        while True:
            state = self._host.state()
            if untold:  # each prompt's models are seen once
                state = replace(state, models_used=(*untold, *state.models_used)[:_MOST_UNTOLD])
            if state != last or self._clock() - told_at > _REPEAT_SECONDS:
                try:
                    await self._client.call("POST", "/host/state", to_json(state))
                    last, told_at, untold = state, self._clock(), ()
                except StowError as err:
                    untold = state.models_used
                    _log.debug("the engine was not told: %s", err.message)
            await asyncio.sleep(_LOOK_SECONDS)
