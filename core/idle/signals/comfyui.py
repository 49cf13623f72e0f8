"""ComfyUI: its queue, and prompts that ended since the last look."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from ...records.idle import Signal
from ...records.session import HostState
from .reader import AttachedHost, Surroundings, active, counted, idle, unknown

_CONNECT_SECONDS = 1.0


class ComfyUi:
    """Goes by what ComfyUI itself tells; it is knocked at only when it tells nothing."""

    name = "comfyui"

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._ended: dict[str, tuple[object, ...]] = {}
        self._last_url: str | None = None

    async def read(self) -> Signal | None:
        """Look at all that are attached, else whether the last one still listens."""
        hosts = self._surroundings.hosts()
        if hosts:
            self._last_url = next(iter(hosts.values())).url
            return await self._of_attached(hosts)
        if self._last_url is None:
            return unknown(self.name, "no ComfyUI has told what it does yet")
        if await _listens(self._last_url):
            return unknown(self.name, "ComfyUI runs and does not tell what it does")
        return idle(self.name, "does not run")

    async def _of_attached(self, hosts: Mapping[str, AttachedHost]) -> Signal:
        doubtful: str | None = None
        for identity, host in hosts.items():
            state = host.state
            if state is None:
                if await _listens(host.url):
                    doubtful = "has not told for a while what it does"
                continue
            if (busy := _queue(state)) is not None:
                return active(self.name, busy)
            if state.queue_running is None or state.queue_pending is None:
                doubtful = "does not tell of its queue"
            if self._has_ended_one(identity, state):
                return active(self.name, "a prompt ended just now")
        return unknown(self.name, doubtful) if doubtful is not None else idle(self.name, "its queue is empty")

    def _has_ended_one(self, identity: str, state: HostState) -> bool:
        """Compare with the last look: a prompt shorter than the time between two looks shows only so."""
        now = (state.last_prompt_finished_at, *((row.outcome, row.count) for row in state.prompts))
        before = self._ended.get(identity, now)
        self._ended[identity] = now
        return now != before

    async def close(self) -> None:
        """Hold nothing."""


def _queue(state: HostState) -> str | None:
    running, pending = state.queue_running or 0, state.queue_pending or 0
    if running + pending == 0:
        return None
    told = [(running, f"{counted(running, 'prompt', 'prompts')} running"), (pending, f"{pending} waiting")]
    return ", ".join(words for number, words in told if number)


async def _listens(url: str) -> bool:
    """Knock at a port of this machine; only a refusal, by the kernel, says that nobody is there."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except ConnectionRefusedError:
        return False
    except OSError:  # TimeoutError too
        return True
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
