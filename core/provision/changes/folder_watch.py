"""Folders whose models are put in place as they come: looked into every few seconds, names and times alone.

What was looked at once is not looked at again until it changes, and what a person took back is left where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from ...config import Settings
from ...errors import ConfigError, StowError
from ...library.changes.incoming import look_into
from ...library.changes.organise import Wishes
from ...records.change import Act, ChangeKind, FileFacts, LinkPolicy
from .changes import Changes
from .plans import Plans

_log = logging.getLogger("comfystow.library")


class FolderWatch:
    """Organises the folders of a setting while the engine runs."""

    def __init__(self, changes: Changes, plans: Callable[[], Plans], settings: Callable[[], Settings]) -> None:
        self._changes = changes
        self._plans = plans
        self._settings = settings
        self._seen: dict[str, FileFacts] = {}
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin, if there is a folder to watch."""
        if self._settings().organise_folders:
            self._task = asyncio.create_task(self._run(), name="organise-watch")

    async def close(self) -> None:
        """End the watch; a change that was begun is not part of it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            settings = self._settings()
            for folder in _folders(settings):
                try:
                    await self._look(folder, settings)
                except StowError as err:
                    _log.warning("%s is not organised: %s", folder, err)
            await asyncio.sleep(settings.organise_check_seconds)

    async def _look(self, folder: Path, settings: Settings) -> None:
        plans = self._plans()
        if not plans.layout.folders or not await asyncio.to_thread(self._has_new, folder, plans.still_seconds):
            return
        taken_back = await self._changes.taken_back()

        def wanted(path: str, facts: FileFacts) -> bool:
            return self._seen.get(path) != facts and path not in taken_back

        wishes = Wishes(link=_policy(settings.organise_link), allow_pickle=settings.allow_pickle)
        job = self._changes.plan(ChangeKind.ORGANISE, plans.organise(folder, wishes, chosen={}, only=wanted))
        await self._ended(job.id)
        _change, actions = await self._changes.show(job.id)
        for action in actions:
            if action.act is Act.LEAVE:
                _log.info("%s is left: %s", action.source, action.conflict)
        if any(not action.act.idle for action in actions):
            await self._changes.apply(job.id, ChangeKind.ORGANISE, settings)
            await self._ended(job.id)
        self._seen |= {action.source: action.facts for action in actions if action.facts is not None}
        self._seen |= {path: facts for path in taken_back if (facts := FileFacts.of(path)) is not None}

    def _has_new(self, folder: Path, still_seconds: float) -> bool:
        if not folder.is_dir():
            return False
        arrivals = look_into(folder.resolve(), now=time.time(), still_seconds=still_seconds)
        return any(model.trouble is None and self._seen.get(model.path) != model.facts for model in arrivals.models)

    async def _ended(self, change_id: str) -> None:
        job = self._changes.job(change_id)
        while job is not None and not job.over:
            await self._changes.wait(job, 1.0)
        if job is not None and job.error is not None:
            raise job.error


def _folders(settings: Settings) -> list[Path]:
    return [] if settings.read_only else [Path(folder).expanduser() for folder in settings.organise_folders]


def _policy(text: str) -> LinkPolicy:
    try:
        return LinkPolicy(text)
    except ValueError:
        raise ConfigError(f"`organise_link` cannot be `{text}`", hint=f"one of {', '.join(LinkPolicy)}") from None
