"""The rows of the queue in memory, on disk and announced, in that order of trust: disk first, then everybody else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..errors import ConflictError, NotFoundHereError, StorageError
from ..records.download import MOVES, Download, DownloadRequest, DownloadState
from .announce import Announcer
from .schedule import expired, in_order, is_settled
from .store import DownloadStore

_log = logging.getLogger("comfystow.downloads")

_S = DownloadState
_RUN_ONLY = {"rate_bytes_per_second": None, "connections": None}
_FRESH = {**_RUN_ONLY, "waiting_for": None, "error": None, "note": None, "finished_at": None}
#: Nothing of it lies at its place any more, which may be another one by now.
_ANEW = {"dest_path": None, "part_dir": None, "bytes_done": 0, "verified": None, "linked": False, "started_at": None}


class Ledger:
    """Every change of a download goes through here: persisted, then announced."""

    def __init__(self, store: DownloadStore, announcer: Announcer, history_limit: int) -> None:
        self.completed: Callable[[Download], None] = lambda _row: None
        """Called with each download that comes to its place, after it was persisted."""
        self._store = store
        self._announcer = announcer
        self._history_limit = history_limit
        self._rows: dict[str, Download] = {}
        self._by_request: dict[tuple[str | None, ...], str] = {}
        self._unsaved: dict[str, Download] = {}
        self._settling: dict[str, asyncio.Event] = {}

    def open(self) -> None:
        """Read the rows; what was under way when the last engine ended is queued again, and so is what waited."""
        for row in self._store.load():
            again = row.state.active or row.state is _S.WAITING
            self._rows[row.id] = replace(row, state=_S.QUEUED, **_FRESH) if again else row  # type: ignore[arg-type]
        # Of two for one file the first in the order of the queue counts.
        self._by_request = {_key(row.request): row.id for row in reversed(self.rows())}

    def close(self) -> None:
        """Announce what is left and close the file."""
        self._announcer.flush()
        self._store.close()

    def rows(self) -> list[Download]:
        """Return the queue in its order, then the history, newest first."""
        return in_order(self._rows.values())

    def unfinished(self) -> list[Download]:
        """Return the queue in its order."""
        return [row for row in self.rows() if not row.state.final]

    def everything(self) -> Iterable[Download]:
        """Return all in no order: to sort thousands takes milliseconds."""
        return self._rows.values()

    def active(self, *, besides: str | None = None) -> list[Download]:
        """Return those, or the others, that a worker holds."""
        return [row for row in self._rows.values() if row.state.active and row.id != besides]

    def same_as(self, request: DownloadRequest) -> Download | None:
        """Return the one that was asked for with the same file and place."""
        return self._rows.get(self._by_request.get(_key(request), ""))

    def get(self, download_id: str) -> Download | None:
        """Return one."""
        return self._rows.get(download_id)

    def need(self, download_id: str) -> Download:
        """Return one. Raises: NotFoundHereError."""
        row = self._rows.get(download_id)
        if row is None:
            raise NotFoundHereError(f"there is no download `{download_id[:60]}`", hint="`GET /downloads` lists them")
        return row

    def last_position(self) -> float:
        """Return the end of the queue."""
        return max((row.position for row in self._rows.values()), default=0.0)

    async def wait(self, download_id: str) -> Download:
        """Wait until nothing more happens to it by itself. Raises: NotFoundHereError."""
        while not is_settled(row := self.need(download_id)):
            await self._settling.setdefault(download_id, asyncio.Event()).wait()
        return row

    def add(self, row: Download) -> None:
        """Take a new one: who is told that it was taken finds it after a power loss. Raises: StorageError."""
        self._store.save([row], durable=True)
        self.keep([row])

    def keep(self, rows: Iterable[Download]) -> None:
        """Persist, then announce.

        On a full disk the queue goes on in memory, or it could not even say that the disk is full: an older state on
        disk costs a new look at the file and no more. What could not be written is written with the next change.
        """
        kept = list(rows)
        for row in kept:
            self._rows[row.id] = row
            self._by_request.setdefault(_key(row.request), row.id)
            self._unsaved[row.id] = row
        try:
            self._store.save(self._unsaved.values())
            self._unsaved.clear()
        except StorageError as err:
            _log.error("%s", err)
        for row in kept:
            self._announcer.changed(row)
            if is_settled(row) and (waiter := self._settling.pop(row.id, None)) is not None:
                waiter.set()
        if any(row.state.final for row in kept):
            self._forget_oldest()

    def change(self, download_id: str, state: DownloadState, **changes: object) -> Download:
        """Move to a state. Raises: ConflictError: the table has no such move."""
        changed = _moved(self.need(download_id), state, changes)
        self.keep([changed])
        if state is _S.COMPLETED:
            self.completed(changed)
        return changed

    def pause_resting(self) -> None:
        """Pause all that no worker holds and that would go on."""
        self.keep([_moved(row, _S.PAUSED, {}) for row in self.unfinished() if row.state in {_S.QUEUED, _S.WAITING}])

    def queue_again(self, rows: Iterable[Download], *, attempts: int = 0) -> None:
        """Put some back into the queue, as if nothing had happened but their progress. Raises: ConflictError."""
        last: float | None = None
        again = []
        for row in rows:
            if _S.QUEUED not in MOVES[row.state]:
                raise ConflictError(f"a download that is {row.state.value} cannot be queued again")
            fresh: dict[str, object] = {**_FRESH, **(_ANEW if row.state in {_S.COMPLETED, _S.CANCELLED} else {})}
            if row.state.final:
                last = fresh["position"] = (self.last_position() if last is None else last) + 1.0
            again.append(replace(row, state=_S.QUEUED, attempts=attempts, **fresh))  # type: ignore[arg-type]
        self.keep(again)

    def note_progress(self, download_id: str, **numbers: object) -> None:
        """Take numbers that are not worth a write: the part has a journal of its own."""
        self._rows[download_id] = replace(self._rows[download_id], **numbers)  # type: ignore[arg-type]
        self._announcer.changed(self._rows[download_id])

    def _forget_oldest(self) -> None:
        old = expired(self._rows.values(), self._history_limit)
        if not old:
            return
        try:
            self._store.remove(old)
        except StorageError as err:  # no reason for what has just come to its place to fail
            _log.error("%s", err)
            return
        for download_id in old:
            key = _key(self._rows.pop(download_id).request)
            if self._by_request.get(key) == download_id:
                del self._by_request[key]


def _moved(row: Download, state: DownloadState, changes: dict[str, object]) -> Download:
    if state is not row.state and state not in MOVES[row.state]:
        raise ConflictError(f"a download that is {row.state.value} cannot become {state.value}")
    if not state.active:
        changes = {**_RUN_ONLY, **changes}
    if state is not _S.WAITING:
        changes["waiting_for"] = None
        if row.state is _S.WAITING:
            changes.setdefault("note", None)  # it told of the waiting
    if state.active or state is _S.COMPLETED:
        changes.setdefault("error", None)
    if state.final:
        changes["finished_at"] = time.time()
    return replace(row, state=state, **changes)  # type: ignore[arg-type]


def _key(request: DownloadRequest) -> tuple[str | None, ...]:
    """Return what is equal for two requests of one file at one place."""
    return request.source, request.folder_name, request.subfolder, request.filename
