"""Changes of files at rest, as the engine makes them: plans and their carrying out as jobs, undo, trash, recovery.

One change at a time is carried out, in a thread of its own; plans are made beside it. A change that the end of an
engine interrupts is finished by the next one's start, without being asked.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ...config import Settings
from ...errors import ConflictError, NotFoundHereError, ReadOnlyError, StowError
from ...library.changes.apply import Progress, Watcher, apply_change
from ...library.changes.journal import ChangeJournal
from ...records.change import Action, Change, ChangeKind, ChangeState
from .jobs import Caught, ChangeJob, Phase
from .plans import Draft, Planner
from .space import check_room

_log = logging.getLogger("comfystow.library")

T = TypeVar("T")

_MOST_JOBS = 50


class Changes:
    """The changes of one engine. On its loop; the disk is worked on in threads."""

    def __init__(
        self,
        state_dir: Path,
        *,
        settings: Callable[[], Settings],
        prepare: Callable[[], Awaitable[None]],
        touched: Callable[[str, int], Awaitable[None]],
        tell: Callable[[dict[str, object]], None],
    ) -> None:
        """Take what to await before a plan looks at the library, and after a change of so many files (id, count).

        `tell` takes what viewers are told.
        """
        self.state_dir = state_dir
        self._settings = settings
        self._prepare = prepare
        self._touched = touched
        self._tell = tell
        self._jobs: dict[str, ChangeJob] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hands = ThreadPoolExecutor(1, thread_name_prefix="changes")
        self._leaving = threading.Event()
        self._told_at = 0.0

    def open(self) -> None:
        """Finish what an earlier engine left."""
        self._spawn(self._recover(), "changes-recover")

    async def close(self) -> None:
        """Stop between two actions; the next engine goes on."""
        self._leaving.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._hands.shutdown)

    @property
    def busy(self) -> bool:
        """True while a plan is made or carried out."""
        return bool(self._tasks)

    # Plans

    def plan(self, kind: ChangeKind, make: Planner) -> ChangeJob:
        """Begin to make a plan; the job's id becomes the change's."""
        job = self._new_job(_new_id(), kind, Phase.PLANNING)
        self._spawn(self._plan(job, make), "changes-plan")
        return job

    async def _plan(self, job: ChangeJob, make: Planner) -> None:
        def tick(done: int, total: int) -> None:
            if self._leaving.is_set() or job.cancelled.is_set():
                raise InterruptedError("the plan was given up")
            job.progress = Progress(done_actions=done, total_actions=total, done_bytes=0)

        async with self._caught(job):
            await self._prepare()
            draft = await asyncio.to_thread(make, job.id, tick)
            await self._in_journal(lambda journal: _keep(journal, job.id, job.kind, draft))

    # Carrying out

    async def apply(self, change_id: str, kind: ChangeKind | None, settings: Settings) -> ChangeJob | None:
        """Begin to carry out a plan; None where it was carried out already.

        Raises: NotFoundHereError, ConflictError, ReadOnlyError, NotEnoughSpaceError.
        """
        change = await self.need(change_id)
        if kind is not None and change.kind is not kind:
            raise ConflictError(f"`{change_id}` is a plan to {change.kind}", hint=f"apply it where {change.kind} is")
        if (running := self._jobs.get(change_id)) is not None and not running.over:
            return running
        if change.state in {ChangeState.APPLIED, ChangeState.UNDONE}:
            return None
        _check_allowed(change.kind, settings)
        copies = await self._in_journal(lambda journal: journal.copies(change_id))
        await asyncio.to_thread(check_room, copies, settings.free_space_floor_bytes)
        await self._in_journal(lambda journal: journal.set_state(change_id, ChangeState.APPLYING))
        return self._begin(change)

    def _begin(self, change: Change) -> ChangeJob:
        job = self._new_job(change.id, change.kind, Phase.APPLYING)
        self._spawn(self._apply(job), "changes-apply")
        return job

    async def _apply(self, job: ChangeJob) -> None:
        loop = asyncio.get_running_loop()

        def work() -> int:
            watcher = Watcher(
                cancelled=job.cancelled.is_set,
                leaving=self._leaving.is_set,
                tell=lambda progress: _from_thread(loop, lambda: self._progress(job, progress)),
            )
            with ChangeJournal(self.state_dir) as journal:
                return apply_change(journal, job.id, watcher)

        async with self._caught(job):
            count = await loop.run_in_executor(self._hands, work)
            if count and not self._leaving.is_set():
                await self._touched(job.id, count)

    async def undo(self, change_id: str, make: Planner, settings: Settings) -> tuple[str, ChangeJob | None]:
        """Begin to take a change back; returns the undoing change. A change that was undone is not undone again.

        Raises: NotFoundHereError, ConflictError, ReadOnlyError, NotEnoughSpaceError.
        """
        change = await self.need(change_id)
        if change.state is ChangeState.UNDONE and change.undone_by is not None:
            return change.undone_by, None
        running = [job for job in self._jobs.values() if not job.over and job.phase is Phase.APPLYING]
        if change.state not in {ChangeState.APPLIED, ChangeState.STOPPED} or any(
            job.id == change_id for job in running
        ):
            raise ConflictError(f"`{change_id}` is {change.state}: there is nothing to take back yet")
        if change.kind is ChangeKind.EMPTY:
            raise ConflictError("what was deleted from the trash is gone", hint="`comfystow trash` lists what is left")
        new_id = _new_id()
        draft = await asyncio.to_thread(make, new_id, lambda _done, _total: None)
        await self._in_journal(lambda journal: _keep(journal, new_id, ChangeKind.UNDO, draft, undoes=change_id))
        return new_id, await self.apply(new_id, None, settings)

    async def _recover(self) -> None:
        """Carry on with what an earlier engine had begun, oldest first."""
        if self._settings().read_only:
            return
        try:
            left = await self._in_journal(lambda journal: [journal.get(found) for found in journal.unfinished()])
        except StowError as err:
            _log.error("changes cannot be finished: %s", err)
            return
        for change in left:
            if change is not None:
                _log.info("finishing the %s of an earlier engine (%s)", change.kind, change.id)
                self._begin(change)

    def cancel(self, change_id: str) -> None:
        """Stop a job between two actions; what was done stays done, and can be undone."""
        job = self._jobs.get(change_id)
        if job is not None:
            job.cancelled.set()

    # What there is

    async def need(self, change_id: str) -> Change:
        """Return a change. Raises: NotFoundHereError."""
        change = await self._in_journal(lambda journal: journal.get(change_id))
        if change is None:
            raise NotFoundHereError(
                f"there is no change `{change_id[:60]}`",
                hint="`comfystow undo --list` lists them; a plan that is gone is made again",
            )
        return change

    async def show(self, change_id: str, *, all_rows: bool = False) -> tuple[Change, list[Action]]:
        """Return a change and its actions: of a plan all, of a change that was begun those that are not done.

        Raises: NotFoundHereError.
        """
        change = await self.need(change_id)
        only_left = not all_rows and change.state is not ChangeState.PLANNED
        return change, await self._in_journal(lambda journal: journal.actions(change_id, only_left=only_left))

    async def recent(self, limit: int) -> tuple[list[Change], str | None]:
        """Return the newest changes, and the one that undo without an id takes back."""
        return await self._in_journal(lambda journal: (journal.recent(limit), journal.last_undoable()))

    async def in_trash(self) -> list[tuple[str, float, Action]]:
        """Return what is in the trash."""
        return await self._in_journal(lambda journal: journal.in_trash())

    async def taken_back(self) -> set[str]:
        """Return the sources that an undone change had organised."""
        return await self._in_journal(lambda journal: journal.taken_back())

    def job(self, change_id: str) -> ChangeJob | None:
        """Return the newest job of a change."""
        return self._jobs.get(change_id)

    def running(self) -> list[ChangeJob]:
        """Return the jobs that are not over."""
        return [job for job in self._jobs.values() if not job.over]

    async def wait(self, job: ChangeJob, seconds: float) -> bool:
        """Wait until a job is over; false after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(job.ended.wait(), seconds)
        return job.over

    # Inside

    async def _in_journal(self, ask: Callable[[ChangeJournal], T]) -> T:
        def work() -> T:
            with ChangeJournal(self.state_dir) as journal:
                return ask(journal)

        return await asyncio.to_thread(work)

    def _new_job(self, change_id: str, kind: ChangeKind, phase: Phase) -> ChangeJob:
        job = ChangeJob(change_id, kind, phase)
        self._jobs.pop(change_id, None)
        self._jobs[change_id] = job
        for old in [found for found in self._jobs.values() if found.over][: max(0, len(self._jobs) - _MOST_JOBS)]:
            del self._jobs[old.id]
        return job

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _caught(self, job: ChangeJob) -> Caught:
        return Caught(job, lambda: self._publish(job))

    def _progress(self, job: ChangeJob, progress: Progress) -> None:
        job.progress = progress
        if time.monotonic() - self._told_at >= self._settings().progress_seconds:
            self._publish(job)

    def _publish(self, job: ChangeJob) -> None:
        self._told_at = time.monotonic()
        state = job.phase.value if not job.over else "failed" if job.error is not None else "over"
        progress = job.progress
        self._tell(
            {
                "change": {
                    "id": job.id,
                    "kind": job.kind.value,
                    "state": state,
                    "done": progress.done_actions,
                    "total": progress.total_actions,
                }
            }
        )


def _check_allowed(kind: ChangeKind, settings: Settings) -> None:
    if settings.read_only:
        raise ReadOnlyError("nothing is changed here", hint="COMFYSTOW_READ_ONLY is set")
    if kind.deletes and settings.no_delete:
        raise ReadOnlyError("nothing is deleted here", hint="COMFYSTOW_NO_DELETE is set")


def _keep(journal: ChangeJournal, change_id: str, kind: ChangeKind, draft: Draft, *, undoes: str | None = None) -> None:
    journal.add(
        Change(
            id=change_id,
            kind=kind,
            title=draft.title,
            created_at=time.time(),
            undoes=undoes,
            bytes=sum(action.size_bytes for action in draft.actions if not action.act.idle),
            saved_bytes=sum(action.saved_bytes for action in draft.actions if not action.act.idle),
            conflicts=sum(action.conflict is not None for action in draft.actions),
            problems=tuple(draft.problems),
        ),
        draft.actions,
    )


def _new_id() -> str:
    return uuid.uuid4().hex[:12]


def _from_thread(loop: asyncio.AbstractEventLoop, deed: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop has ended: nobody is told any more
        loop.call_soon_threadsafe(deed)
