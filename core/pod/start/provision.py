"""Bring what the pod is to have, through the engine like any other caller, while the services start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from ...engine.client import EngineClient
from ...errors import StowError
from ...records.download import DownloadState
from .wanted import Wish, Wishes, describe

_log = logging.getLogger("comfystow.pod")

_OVER = {state.value for state in DownloadState if state.final}
_AGAIN = {"paused": "resume", "failed": "retry", "cancelled": "retry"}
#: Nobody stands there to give a token or to make room: ComfyUI does not wait for these.
_STUCK = {"token", "licence", "space"}
_AGAIN_SECONDS = 1.0
_MOST_AGAIN_SECONDS = 30.0


class Provisioning:
    """What was asked for and how far it is. On the controller's loop."""

    def __init__(self, wishes: Wishes, changed: Callable[[], None]) -> None:
        self._wishes = wishes
        self._changed = changed
        self._downloads: dict[str, dict[str, Any]] = {}
        self._before: set[str] = set()
        self._problems: dict[str, None] = dict.fromkeys(wishes.problems)
        self._before_asked = self._asked = False
        self.first_there = asyncio.Event()
        """Set when what ComfyUI waits for is there, or cannot come by itself."""
        if not wishes.before:
            self.first_there.set()

    @property
    def counts(self) -> tuple[int, int]:
        """How many files were asked for, and how many of them are there."""
        done = sum(row["state"] == DownloadState.COMPLETED.value for row in self._downloads.values())
        return len(self._downloads), done

    @property
    def problems(self) -> list[str]:
        """What cannot come by itself, and why."""
        return [*self._problems, *(_problem(row) for row in self._downloads.values() if _stuck(row))]

    @property
    def finished(self) -> bool:
        """True when nothing more comes by itself."""
        return self._asked and all(row["state"] in _OVER or _stuck(row) for row in self._downloads.values())

    async def run(self, client: EngineClient) -> None:
        """Ask for everything and follow it until cancelled; the stream keeps the engine and our session alive."""
        pause = _AGAIN_SECONDS
        while True:
            try:
                await self._ask_for_all(client)
                pause = _AGAIN_SECONDS
                async for event in client.events():
                    await self._take(client, event)
            except StowError as err:
                _log.warning("the engine cannot be reached: %s", describe(err))
                self.first_there.set()  # better a ComfyUI without a model than none
                pause = min(_MOST_AGAIN_SECONDS, 2 * pause)  # the log is the container's, and somebody's bill
            await asyncio.sleep(pause)

    async def _ask_for_all(self, client: EngineClient) -> None:
        if not self._before_asked:
            # What ComfyUI waits for stands first in the queue.
            for wish in self._wishes.all:
                if wish.before:
                    self._before |= await self._ask_for(client, wish, before_only=True)
            self._before_asked = True
        if not self._asked:
            for wish in self._wishes.all:
                await self._ask_for(client, wish, before_only=False)
            self._asked = True
        self._look()

    async def _ask_for(self, client: EngineClient, wish: Wish, *, before_only: bool) -> set[str]:
        """Ask for a manifest; return its downloads. What an earlier container paused or gave up goes on."""
        try:
            job = await client.call("POST", "/workflow/ensure", {**wish.body, "before_only": before_only})
        except StowError as err:
            if err.retryable:
                raise
            self._problems[f"{wish.name}: {describe(err)}"] = None
            return set()
        for refused in job["refused"]:
            self._problems[f"{refused['request']['source']}: {refused['error']['message']}"] = None
        for model in job["choices"]:
            self._problems[f"no sure source is known for `{model['name']}`"] = None
        for row in job["downloads"]:
            again = _AGAIN.get(row["state"])
            self._downloads[row["id"]] = (
                await client.call("POST", f"/downloads/{row['id']}/{again}") if again is not None else row
            )
        return {row["id"] for row in job["downloads"]}

    async def _take(self, client: EngineClient, event: dict[str, Any]) -> None:
        if event["topic"] == "heartbeat":
            return
        if event["topic"] == "downloads":
            changed = event["data"].get("downloads", [])
        elif event["topic"] == "hello" or event["data"].get("kind") == "lost":
            changed = (await client.call("GET", "/downloads"))["downloads"]
            self._forget_all_but({row["id"] for row in changed})
        else:
            return
        for row in changed:
            if row["id"] in self._downloads:
                self._downloads[row["id"]] = row
        self._look()

    def _forget_all_but(self, listed: set[str]) -> None:
        """Leave out what the list has forgotten, which is over, unless we heard how it ended."""
        gone = {known for known, row in self._downloads.items() if known not in listed and row["state"] not in _OVER}
        for known in gone:
            del self._downloads[known]
        self._before -= gone

    def _look(self) -> None:
        rows = [self._downloads[known] for known in self._before]
        if self._before_asked and all(row["state"] in _OVER or _stuck(row) for row in rows):
            self.first_there.set()
        self._changed()


def _problem(row: dict[str, Any]) -> str:
    why = (row.get("error") or {}).get("message") or row.get("note") or row["state"]
    return f"{row.get('filename') or row['source']}: {why}"


def _stuck(row: dict[str, Any]) -> bool:
    return row["state"] in {"failed", "cancelled", "paused"} or row.get("waiting_for") in _STUCK
