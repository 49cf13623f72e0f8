"""Changes on their way to viewers: many become few, at most one event each `interval_seconds`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..records.download import Download
from .view import download_json


class Announcer:
    """Collects changed downloads and publishes them together.

    A change of state goes out at once when the last event is long enough ago; progress waits for the next one.
    """

    def __init__(self, publish: Callable[[list[dict[str, object]]], None], interval_seconds: float) -> None:
        self._publish = publish
        self._interval_seconds = interval_seconds
        self._changed: dict[str, Download] = {}
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def changed(self, download: Download, *, important: bool = False) -> None:
        """Note a change."""
        self._changed[download.id] = download
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due = self._last + self._interval_seconds
            delay = max(0.0, due - loop.time()) if important else max(self._interval_seconds, due - loop.time())
            self._timer = loop.call_later(delay, self.flush)

    def flush(self) -> None:
        """Publish what has changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._changed:
            self._last = asyncio.get_running_loop().time()
            changed, self._changed = self._changed, {}
            self._publish([download_json(download) for download in changed.values()])
