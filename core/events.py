"""Who listens to events, and how they reach them. On the engine's loop only."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator

from .records.event import Event, Topic

_MOST_WAITING = 256

#: Told to a listener that was too slow: what it missed it reads again.
LOST = Event(Topic.NOTICE, {"kind": "lost"})


class Subscription:
    """The events of one listener."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()

    async def get(self) -> Event:
        """Wait for the next event; a cancelled wait loses none."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    def put(self, event: Event) -> None:
        """Hand an event over; a listener that never reads keeps the last ones and `LOST` before them."""
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.clear()
            self._waiting.append(LOST)
        self._waiting.append(event)
        self._arrived.set()


class EventBus:
    """Gives every event to every listener."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    @contextlib.contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Listen for as long as the context lasts."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, event: Event) -> None:
        """Hand an event to all who listen."""
        for subscription in self._subscriptions:
            subscription.put(event)
