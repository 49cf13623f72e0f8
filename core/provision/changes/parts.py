"""Builds what makes and carries out changes of files, over the library of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from ...config import Settings
from ...events import EventBus
from ...library.changes.journal import ChangeJournal
from ...library.library import Library
from ...records.change import Action
from ...records.event import Event, Topic
from ...records.model import FolderLayout
from .changes import Changes
from .folder_watch import FolderWatch
from .memory import know_again
from .plans import Plans

#: After a small change the index is right when the change is over; a large one is not held up by looking into files.
_AWAITED_FILES = 100
#: Looking into thousands of files begins when the caller has its answer.
_ANSWERED_SECONDS = 1.0


def build_changes(
    state_dir: Path, events: EventBus, library: Library, settings: Callable[[], Settings]
) -> tuple[Changes, FolderWatch]:
    """Return the changes of an engine, and the watch over the folders that are organised by themselves."""

    async def prepare() -> None:
        await library.scan()

    async def touched(change_id: str, count: int) -> None:
        back = await asyncio.to_thread(_came_back, state_dir, change_id)
        if back or count <= _AWAITED_FILES:
            await library.scan()
            if back:  # a scan leaves files alone that changed just now, and these are whole
                await library.look_at(Path(action.target) for action in back if action.target is not None)
                await library.in_thread(lambda: know_again(library.index, back))
        else:
            asyncio.get_running_loop().call_later(_ANSWERED_SECONDS, library.scan_soon)

    def tell(data: dict[str, object]) -> None:
        events.publish(Event(Topic.LIBRARY, data))

    changes = Changes(state_dir, settings=settings, prepare=prepare, touched=touched, tell=tell)
    return changes, FolderWatch(changes, lambda: plans_of(state_dir, library.layout(), library, settings()), settings)


def _came_back(state_dir: Path, change_id: str) -> list[Action]:
    with ChangeJournal(state_dir) as journal:
        return journal.known(change_id)


def plans_of(state_dir: Path, layout: FolderLayout, library: Library, settings: Settings) -> Plans:
    """Return what plans of changes are made of, over the folders of a caller."""
    return Plans(state_dir=state_dir, layout=layout, index=library.index, still_seconds=settings.library_settle_seconds)
