"""Follows the folders of models while somebody looks: a file that is dropped in by hand is in the index soon after.

Local file systems tell by inotify, through watchdog; on network ones nobody is told of what other machines do, so they
are looked at now and then. Without watchdog nothing is followed, and a word says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..mounts import mount_of
from ..paths import MODEL_SUFFIXES, PICKLE_SUFFIXES
from .index.live import LivePlan, plan_live
from .library import Library

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers.api import BaseObserver

_log = logging.getLogger("comfystow.library")

_TOLD = frozenset({"created", "closed", "moved", "deleted"})
_SUFFIXES = tuple(MODEL_SUFFIXES | PICKLE_SUFFIXES)
#: A scan takes at most this share of the time, however much goes on in the folders.
_SHARE = 10
_MOST_PAUSES = 5
NO_WATCHDOG = "files that are dropped in by hand show after a scan: install `watchdog` to see them at once"


class LibraryWatch:
    """On the engine's loop; watchdog's threads only say that something happened."""

    def __init__(self, library: Library, *, debounce_seconds: float, poll_seconds: float) -> None:
        self._library = library
        self._debounce_seconds = debounce_seconds
        self._poll_seconds = poll_seconds
        self._plan = LivePlan()
        self._observer: BaseObserver | None = None
        self._task: asyncio.Task[None] | None = None
        self._poller: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._since: float | None = None
        self.problem: str | None = None
        """Why not everything is followed, in words."""

    @property
    def following(self) -> bool:
        """True while folders are followed, all or some."""
        return self._task is not None

    def start(self) -> None:
        """Scan, and follow from then on; again with another layout."""
        if self._task is None:
            self._task = asyncio.create_task(self._begin(), name="library-watch")

    def leave(self) -> None:
        """Follow nothing any more, without waiting for it."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._stop(), name="library-leave")

    async def stop(self) -> None:
        """Follow nothing any more."""
        self.leave()
        if self._leaving is not None:
            await self._leaving

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._since = None
        await self._end_following()
        self._leaving = None

    async def _begin(self) -> None:
        """A worker's top level: set up once the folders are known, and again when they are others."""
        if self._leaving is not None:
            await asyncio.shield(self._leaving)
        try:
            await self._library.scan()
            while True:
                self._library.scanned.clear()
                if await self._follow():
                    await self._library.scan()  # what came after the scan before and before the first event
                else:
                    await self._library.scanned.wait()
        except Exception:  # noqa: BLE001 - without it files show after a scan
            _log.exception("the library cannot be followed")
            self.problem = "the folders cannot be followed; the engine's log says why"

    async def _follow(self) -> bool:
        """Go by what the last scan has seen; true where other folders are followed from now on."""
        folders = await self._library.in_thread(self._folders)
        plan = await asyncio.to_thread(plan_live, folders, _is_network)
        if plan == self._plan:
            return False
        await self._end_following()
        self._plan = plan
        try:
            from watchdog.observers import Observer
        except ImportError:
            self.problem = NO_WATCHDOG
            return False
        self.problem = None
        observer = Observer()
        polled = bool(plan.polled)
        try:
            await asyncio.to_thread(_start, observer, plan.watched, self._handler())
            self._observer = observer
        except OSError as err:  # the limit of watches, or a folder that went away
            await asyncio.to_thread(_end, observer)
            self.problem = f"folders are looked at every {self._poll_seconds:g} s: {err.strerror or err}"
            _log.warning("the system does not tell of the models' folders: %s", err)
            polled = True
        if polled:
            self._poller = asyncio.create_task(self._poll(), name="library-poll")
        return True

    async def _end_following(self) -> None:
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.cancel()
            await asyncio.wait([poller])
        observer, self._observer = self._observer, None
        if observer is not None:
            await asyncio.to_thread(_end, observer)
        self._plan = LivePlan()

    def _folders(self) -> list[Path]:
        roots = [root.path for root in self._library.index.roots() if root.listed and root.available]
        return roots + [Path(os.fsdecode(folder)) for folder in self._library.scanner.linked_folders]

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            self._library.scan_soon()

    # Events

    def _handler(self) -> FileSystemEventHandler:
        from watchdog.events import FileSystemEventHandler

        loop, changed = asyncio.get_running_loop(), self._something_changed

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if concerns_models(event.event_type, str(event.src_path), str(event.dest_path), event.is_directory):
                    with contextlib.suppress(RuntimeError):  # the loop has ended
                        loop.call_soon_threadsafe(changed)

        return Handler()

    def _something_changed(self) -> None:
        """Scan when it has been quiet for a while, and in any case after a few of these whiles."""
        loop = asyncio.get_running_loop()
        if self._task is None:
            return
        now = loop.time()
        self._since = self._since if self._since is not None else now
        last = self._library.last_scan
        pause = max(self._debounce_seconds, _SHARE * last.seconds if last is not None else 0.0)
        due = min(now + pause, self._since + _MOST_PAUSES * pause)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due, self._scan)

    def _scan(self) -> None:
        self._timer = self._since = None
        self._library.scan_soon()


def concerns_models(kind: str, source: str, destination: str, is_directory: bool) -> bool:  # noqa: FBT001 - watchdog's
    """Tell whether an event can mean that a model came, went or changed (pure).

    While a file is written nothing is said; who closes it, or gives it its name, ends that.
    """
    if kind not in _TOLD:
        return False
    return is_directory or source.lower().endswith(_SUFFIXES) or destination.lower().endswith(_SUFFIXES)


def _is_network(folder: Path) -> bool:
    mount = mount_of(folder)
    return mount is not None and mount.network


def _start(observer: BaseObserver, folders: tuple[Path, ...], handler: FileSystemEventHandler) -> None:
    for folder in folders:
        observer.schedule(handler, str(folder), recursive=True)
    observer.start()


def _end(observer: BaseObserver) -> None:
    if observer.is_alive():
        observer.stop()
        observer.join()
