"""Jobs that bring what a workflow lacks: several downloads of the queue under one id, and what is left to a person.

A job is a list over the queue, and is not stored: an engine that ended has forgotten it, while its downloads go on.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ...errors import NotFoundHereError, StowError
from ...records.download import Download, DownloadRequest, DownloadState, ErrorInfo
from ...records.session import Session

_MOST_JOBS = 200
_LOOK_SECONDS = 0.1


class JobState(StrEnum):
    """`incomplete`: all that was asked for arrived, and a person has to choose the rest."""

    PLANNED = "planned"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """True when nothing more happens by itself; a waiting job goes on when its cause is gone."""
        return self in {JobState.COMPLETED, JobState.INCOMPLETE, JobState.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that the queue did not take."""

    request: DownloadRequest
    error: ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job; `told` is what its caller is shown beside the downloads."""

    id: str
    created_at: float
    download_ids: tuple[str, ...]
    refused: tuple[Refusal, ...]
    lacking: int
    told: Mapping[str, Any] = field(default_factory=dict)


def state_of(downloads: Iterable[Download | None], *, refused: int, lacking: int) -> JobState:
    """Return a job's state from its downloads; one that is not in the history any more had arrived (pure)."""
    states = [download.state for download in downloads if download is not None]
    ended_badly = {DownloadState.FAILED, DownloadState.CANCELLED}
    moving = [state for state in states if not state.final]
    if moving:
        stopped = {DownloadState.WAITING, DownloadState.PAUSED}
        return JobState.WAITING if all(state in stopped for state in moving) else JobState.RUNNING
    if refused or any(state in ended_badly for state in states):
        return JobState.FAILED
    return JobState.INCOMPLETE if lacking else JobState.COMPLETED


class Jobs:
    """The jobs of one engine's life; the oldest are forgotten."""

    def __init__(
        self,
        submit: Callable[..., Awaitable[Download]],
        find: Callable[[str], Download | None],
    ) -> None:
        self._submit = submit
        self._find = find
        self._jobs: dict[str, Job] = {}

    async def start(
        self,
        requests: Sequence[DownloadRequest],
        session: Session | None,
        *,
        lacking: int,
        told: Mapping[str, Any],
        refused: Sequence[Refusal] = (),
    ) -> Job:
        """Put all into the queue; one that is refused has its error, and the others go on."""
        ids: dict[str, None] = {}
        without = list(refused)
        for request in requests:
            try:
                ids[(await self._submit(request, session)).id] = None
            except StowError as err:
                without.append(Refusal(request=request, error=ErrorInfo.of(err)))
        job = Job(
            id=uuid.uuid4().hex[:12],
            created_at=time.time(),
            download_ids=tuple(ids),
            refused=tuple(without),
            lacking=lacking,
            told=told,
        )
        self._jobs[job.id] = job
        while len(self._jobs) > _MOST_JOBS:
            del self._jobs[next(iter(self._jobs))]
        return job

    def need(self, job_id: str) -> Job:
        """Return a job. Raises: NotFoundHereError."""
        job = self._jobs.get(job_id)
        if job is None:
            raise NotFoundHereError(
                f"there is no job `{job_id[:60]}`",
                hint="a job is forgotten when its engine ends; ask again, what arrived is not fetched twice",
            )
        return job

    def downloads(self, job: Job) -> list[Download]:
        """Return a job's downloads, as far as the history still has them."""
        return [row for download_id in job.download_ids if (row := self._find(download_id)) is not None]

    def state(self, job: Job) -> JobState:
        """Return how a job stands now."""
        return state_of(self.downloads(job), refused=len(job.refused), lacking=job.lacking)

    async def wait(self, job: Job, seconds: float) -> JobState:
        """Wait until a job is over, or waits for somebody; at most `seconds`."""
        deadline = time.monotonic() + seconds
        while not (state := self.state(job)).over and state is not JobState.WAITING and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
        return state
