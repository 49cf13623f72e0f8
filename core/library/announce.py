"""News of the library on its way to viewers: many become one.

Changed folders are told at most once each `interval_seconds`; that work goes on, a quarter as often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable


class News:
    """Collects folders whose files changed, and that work goes on; the first waits for its like, too.

    `publish(folder_names, work)` is called with `work` true where the progress of a scan or a reading has changed.
    """

    def __init__(self, publish: Callable[[tuple[str, ...], bool], None], interval_seconds: float) -> None:
        self._publish = publish
        self._interval_seconds = interval_seconds
        self._folders: set[str] = set()
        self._work = False
        self._timer: asyncio.TimerHandle | None = None

    def changed(self, folder_names: Iterable[str]) -> None:
        """Note folders whose files came, went or changed. On the loop."""
        self._folders |= set(folder_names)
        self._plan(self._interval_seconds)

    def moved_on(self) -> None:
        """Note that work has moved on. On the loop."""
        self._work = True
        self._plan(4 * self._interval_seconds)

    def close(self) -> None:
        """Publish what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._tell()

    def _plan(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._tell)

    def _tell(self) -> None:
        self._timer = None
        folders, self._folders = tuple(sorted(self._folders)), set()
        work, self._work = self._work, False
        self._publish(folders, work)
