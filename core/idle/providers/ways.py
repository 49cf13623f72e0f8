"""Trying one way of stopping a machine again and again, with every call written down."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ...records.idle import Attempt, Machine
from .api import Told, Verdict
from .provider import Patience, Still

Send = Callable[[], Awaitable[Told]]
Look = Callable[[], Awaitable[Machine]]


@dataclass(slots=True, kw_only=True)
class Ways:
    """What was tried so far, and how the machine is looked at in between."""

    patience: Patience
    look: Look
    still: Still
    attempts: list[Attempt] = field(default_factory=list)
    locked: bool = False
    """True where the provider keeps the machine from being stopped because its owner said so."""
    abandoned: bool = False
    """True where `still` said no."""

    async def by(self, way: str, send: Send) -> bool:
        """Call until it is done, refused or tried often enough; true when the machine has stopped or is stopping."""
        pause = self.patience.pause_seconds
        for number in range(1, self.patience.tries + 1):
            if not await self.still():
                self.abandoned = True
                return False
            told = await self._once(way, send)
            if told.verdict is Verdict.DONE:
                return await self._shows(way)
            if told.verdict is Verdict.REFUSED:
                return False
            if await self._ended():  # a call without an answer, or one that came too late, may have done it
                return True
            if self.locked or number == self.patience.tries:
                return False
            wanted = told.pause_seconds if told.pause_seconds is not None else pause * random.uniform(0.8, 1.2)
            await asyncio.sleep(min(self.patience.most_pause_seconds, wanted))
            pause *= 2
        return False

    @property
    def last_words(self) -> str:
        """What came of the last call."""
        if self.abandoned:
            return "it was not wanted any more"
        return self.attempts[-1].words if self.attempts else "there was no way to try"

    async def _once(self, way: str, send: Send) -> Told:
        at, began = time.time(), time.monotonic()
        told = await send()
        self._note(way, at, time.monotonic() - began, told)
        return told

    def _note(self, way: str, at: float, seconds: float, told: Told) -> None:
        self.attempts.append(
            Attempt(
                way=way, at=at, seconds=seconds, status=told.status, done=told.verdict is Verdict.DONE, words=told.words
            )
        )

    async def _ended(self) -> bool:
        machine = await self.look()
        self.locked = machine.locked is True and machine.running is not False
        return machine.running is False

    async def _shows(self, way: str) -> bool:
        """Wait until the machine's state tells that it stops; what cannot be read back is believed."""
        at, deadline = time.time(), time.monotonic() + self.patience.confirm_seconds
        pause = min(2.0, self.patience.pause_seconds)
        while True:
            machine = await self.look()
            if machine.running is not True:
                return True
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(pause)
        words = f"accepted, and the machine is still {machine.status}"
        self._note(way, at, self.patience.confirm_seconds, Told(verdict=Verdict.AGAIN, words=words))
        return False
