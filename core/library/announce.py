"""News of the library on its way to viewers: many become one, at most one event each `interval_seconds`."""

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
        self._plan()

    def moved_on(self) -> None:
        """Note that work has moved on. On the loop."""
        self._work = True
        self._plan()

    def close(self) -> None:
        """Publish what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._tell()

    def _plan(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_seconds, self._tell)

    def _tell(self) -> None:
        self._timer = None
        folders, self._folders = tuple(sorted(self._folders)), set()
        work, self._work = self._work, False
        self._publish(folders, work)
