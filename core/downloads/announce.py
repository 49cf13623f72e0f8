"""Changes on their way to viewers: many become few, at most one event each `interval_seconds`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..records.download import Download
from .view import download_json

#: Whoever reads an event does it on the loop of ComfyUI's server: this many are read in a few milliseconds.
_MOST_AT_ONCE = 200


class Announcer:
    """Collects changed downloads and publishes them together: the first at once, the rest when the interval is over.

    What is more than an event may hold comes with the next ones.
    """

    def __init__(self, publish: Callable[[list[dict[str, object]]], None], interval_seconds: float) -> None:
        self._publish = publish
        self._interval_seconds = interval_seconds
        self._changed: dict[str, Download] = {}
        self._last: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def changed(self, download: Download) -> None:
        """Note a change."""
        self._changed[download.id] = download
        self._be_due()

    def flush(self) -> None:
        """Publish what has changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._changed:
            self._last = asyncio.get_running_loop().time()
            now = [self._changed.pop(download_id) for download_id in list(self._changed)[:_MOST_AT_ONCE]]
            self._publish([download_json(download) for download in now])
        if self._changed:
            self._be_due()

    def _be_due(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due = loop.time() if self._last is None else self._last + self._interval_seconds
            self._timer = loop.call_at(due, self.flush)
