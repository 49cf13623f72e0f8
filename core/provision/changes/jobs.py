"""Plans that are being made and changes that are being carried out, as their callers see them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ...errors import ConflictError, StowError
from ...library.changes.apply import Progress
from ...records.change import ChangeKind
from ...records.download import ErrorInfo
from ...records.json import to_json

_log = logging.getLogger("comfystow.library")

_NOTHING = Progress(done_actions=0, total_actions=0, done_bytes=0)


class Phase(StrEnum):
    """What a job does."""

    PLANNING = "planning"
    APPLYING = "applying"


@dataclass(slots=True, eq=False)
class ChangeJob:
    """A plan that is being made, or a change that is being carried out."""

    id: str
    kind: ChangeKind
    phase: Phase
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: Progress = _NOTHING
    error: StowError | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def over(self) -> bool:
        """True when nothing goes on any more."""
        return self.ended.is_set()


class Caught:
    """Notes how a job ends, and tells it."""

    def __init__(self, job: ChangeJob, publish: Callable[[], None]) -> None:
        self._job = job
        self._publish = publish

    async def __aenter__(self) -> None:
        self._publish()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        job = self._job
        if isinstance(error, StowError):
            job.error = error
        elif isinstance(error, InterruptedError):
            job.error = ConflictError(f"the {job.kind} was stopped while it was planned")
        elif isinstance(error, Exception):
            _log.error("%s %s failed", job.phase, job.kind, exc_info=error)
            job.error = StowError("something unexpected happened", hint="the engine's log says what")
        job.ended.set()
        self._publish()
        return isinstance(error, Exception)


def job_json(job: ChangeJob) -> dict[str, Any]:
    """Return what a caller sees of a job that is not over."""
    return {
        "id": job.id,
        "kind": job.kind.value,
        "state": job.phase.value,
        "done": job.progress.done_actions,
        "total": job.progress.total_actions,
        "done_bytes": job.progress.done_bytes,
        "error": None if job.error is None else to_json(ErrorInfo.of(job.error)),
    }
