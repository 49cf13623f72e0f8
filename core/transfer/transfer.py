"""One file from the first look to its final name: part, bytes, proof, place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..errors import ChecksumMismatchError, IntegrityError, NotAModelError, StorageError
from ..headers.sniff import SNIFF_BYTES
from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..net.egress import EgressGate
from ..publish import rename_without_replacing, sync_folder
from ..records.download import DownloadState, Verified
from ..records.source import Digest, ResolvedFile
from .connections.origin import Origin
from .connections.pool import ConnectionPool
from .job import TransferJob, TransferLimits, TransferProgress, TransferResult
from .lanes.adapt import Connections
from .lanes.budget import Budget
from .lanes.cures import Cures
from .lanes.fetch import Fetcher
from .lanes.ratelimit import Bucket
from .lanes.state import State
from .part.machine import Machine
from .part.part import Part, locked
from .part.space import storage_error
from .part.there import open_unless_there, recognise
from .part.verify import check_first_bytes, prove
from .telling import Teller
from .xet import XetWay, may_use_xet

T = TypeVar("T")

_JOURNAL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all transfers of an engine share."""

    limits: TransferLimits
    client: HttpClient
    gate: EgressGate
    pool: ConnectionPool
    budget: Budget
    bucket: Bucket
    own_buckets: dict[Path, Bucket]
    """The limits of single jobs that run, by destination."""
    executor: Executor
    machine: Machine


@dataclass(slots=True, kw_only=True)
class Transfer:
    """One run of one job; ends with a result, an error, or a cancellation that leaves the part resumable."""

    job: TransferJob
    shared: Shared
    credentials: Credentials | None
    renew: Callable[[], Awaitable[ResolvedFile]] | None
    report: Callable[[TransferProgress], None]
    _bytes_before: int = 0
    _restarts_before: int = 0
    _sniffed: bool = False
    _syncing: asyncio.Future[None] | None = None
    _synced_at: float = 0.0
    _synced_bytes: int = 0
    _journaled_at: float = 0.0
    _heartbeat_at: float = 0.0
    _note: str | None = None
    _file: ResolvedFile = field(init=False)
    _teller: Teller = field(init=False)
    _bucket: Bucket = field(init=False)

    def __post_init__(self) -> None:
        self._file = self.job.file
        self._teller = Teller(self.report)
        self._bucket = Bucket(self.job.limit_rate_bytes_per_second)

    async def run(self) -> TransferResult:
        """Bring the file. Raises: the errors of `core.errors`."""
        self.shared.own_buckets[self.job.dest] = self._bucket
        try:
            return await self._run()
        finally:
            if self.shared.own_buckets.get(self.job.dest) is self._bucket:
                del self.shared.own_buckets[self.job.dest]

    async def _run(self) -> TransferResult:
        for again in (True, False):
            part = Part(self.job, self.shared.limits, self.shared.machine)
            part.file = self._file
            part.size_bytes = self._file.size_bytes
            opening = partial(open_unless_there, part, self.job.dest, make_room=not self.shared.limits.xet)
            try:
                while not await self._blocking(opening):
                    if (there := await self._recognise(part)) is not None:
                        return there
                return await self._bring(part, may_repeat=again)
            except _OnceMoreError:
                self._restarts_before += 1
            finally:
                part.close()
        raise RuntimeError("the second run decides")

    async def _recognise(self, part: Part) -> TransferResult | None:
        """Look at what has the name; None when it has gone again. Raises: NameTakenError, LockedError."""
        held = part.held
        if held:
            part.worthless = True
            part.release(part.done)
        if (there := await recognise(self.job, self._file, self._blocking)) is None:
            if held:
                raise locked(part.path)  # somebody is at it still
            return None
        return replace(there, bytes_fetched=self._bytes_before, restarted=self._restarts_before)

    async def _bring(self, part: Part, *, may_repeat: bool) -> TransferResult:
        try:
            by_xet = may_repeat and await self._through_xet(part)
            if self.shared.limits.xet:
                await self._blocking(part.make_room)
        except BaseException:
            part.release(part.done)  # or other machines would wait for our heartbeat
            raise
        state = State(part)
        state.note, state.by_xet = self._note, by_xet
        state.bytes_fetched = part.done.total if by_xet else 0
        try:
            fetcher = self._fetcher(state)
            while True:
                await fetcher.run(lambda now: self._on_tick(state, now))
                await self._check_beginning(state, force=True)
                self._file = part.file
                digests = await self._settle(state)
                if not await fetcher.was_misled(digests):
                    return await self._finish(state, digests, may_repeat=may_repeat)
        except NotAModelError:
            part.worthless = True
            raise
        finally:
            state.hasher.close()
            with contextlib.suppress(StorageError):
                await self._settle_sync()
            self._bytes_before += state.bytes_fetched
            self._restarts_before += state.restarted
            part.release(state.plan.snapshot())

    async def _through_xet(self, part: Part) -> bool:
        """Try the way over Xet where it is switched on and can do what is asked."""
        limited = self.shared.bucket.limited or self._bucket.limited
        if not self.shared.limits.xet or limited or not may_use_xet(self._file, part):
            return False
        await self._blocking(part.check_room)
        way = XetWay(part, self.shared.limits, self._teller, blocking=self._blocking)
        came = await way.bring(self.shared.client, self._file, self.credentials)
        if way.refusal is not None:
            self._note = f"plain HTTPS instead of Xet: {way.refusal}"
        return came

    def _fetcher(self, state: State) -> Fetcher:
        limits, job = self.shared.limits, self.job
        fixed = job.connections if job.connections is not None else limits.connections_per_download
        origin = Origin(
            self._file.url,
            client=self.shared.client,
            gate=self.shared.gate,
            pool=self.shared.pool,
            credentials=self.credentials,
            response_timeout_seconds=limits.response_timeout_seconds,
        )
        connections = Connections(
            most=max(1, fixed if fixed is not None else limits.connections_per_host), fixed=fixed is not None
        )
        return Fetcher(
            state,
            origin,
            limits=limits,
            connections=connections,
            budget=self.shared.budget,
            buckets=(self.shared.bucket, self._bucket),
            cures=Cures(state, origin, connections, limits=limits, renew=self.renew),
            executor=self.shared.executor,
        )

    # While bytes arrive

    async def _on_tick(self, state: State, now: float) -> None:
        await self._check_beginning(state)
        limits = self.shared.limits
        if self._syncing is not None and self._syncing.done():
            await self._settle_sync()
        if now - self._heartbeat_at >= limits.lease_heartbeat_seconds:
            self._heartbeat_at = now
            state.part.check_lease()
            state.journal()
        elif state.has_news and now - self._journaled_at >= _JOURNAL_SECONDS:
            self._journaled_at = now
            state.journal()
        unsynced = state.bytes_fetched - self._synced_bytes
        due = unsynced >= limits.journal_bytes or (now - self._synced_at >= limits.journal_seconds and unsynced > 0)
        if self._syncing is None and due:
            self._synced_at, self._synced_bytes = now, state.bytes_fetched
            self._syncing = asyncio.ensure_future(self._sync(state))
        if now - self._teller.told_at >= limits.progress_seconds:
            self._teller.tell(state, DownloadState.RUNNING, now)

    async def _sync(self, state: State) -> None:
        part, plan = state.part, state.plan
        snapshot = plan.snapshot()
        await self._blocking(part.sync_bytes)
        if state.plan is plan:  # else it has started over meanwhile
            part.synced = snapshot
            state.journal()
            await self._blocking(part.sync_journal)

    async def _settle_sync(self) -> None:
        if self._syncing is not None:
            syncing, self._syncing = self._syncing, None
            await syncing

    async def _check_beginning(self, state: State, *, force: bool = False) -> None:
        if not self._sniffed and (force or state.plan.frontier() >= SNIFF_BYTES):
            self._sniffed = True
            check_first_bytes(self.job.dest, state.part.read(0, SNIFF_BYTES))

    # When all bytes are there

    async def _settle(self, state: State) -> dict[str, str]:
        """Bring all bytes to the disk, and return their digests."""
        part, size = state.part, _size_of(state)
        self._teller.tell(state, DownloadState.VERIFYING, asyncio.get_running_loop().time())
        await self._settle_sync()
        syncing = asyncio.ensure_future(self._blocking(lambda: part.fsync(size)))
        try:
            return await state.hasher.finish(size)
        except OSError as err:
            raise storage_error(err, part.path) from err
        finally:
            await syncing

    async def _finish(self, state: State, digests: dict[str, str], *, may_repeat: bool) -> TransferResult:
        part, size = state.part, _size_of(state)
        verified = await self._prove(state, size, digests, may_repeat=may_repeat)
        self._teller.tell(state, DownloadState.PLACING, asyncio.get_running_loop().time())
        part.placed = digests["sha256"]
        await self._blocking(lambda: self._place(part, state))
        part.remove_journal()
        return self._result(size, digests["sha256"], verified, state)

    async def _prove(self, state: State, size: int, digests: dict[str, str], *, may_repeat: bool) -> Verified:
        def proof(file: ResolvedFile) -> Verified:
            return prove(
                file,
                self.job.dest,
                size_bytes=size,
                digests=digests,
                read=state.part.read,
                end_untold=state.end_untold,
            )

        try:
            return await self._blocking(lambda: proof(self._file))
        except IntegrityError as err:
            fresh = await self.renew() if self.renew is not None else self._file
            changed = fresh.digest is not None and fresh.digest != self._file.digest
            if changed and isinstance(err, ChecksumMismatchError):
                self._file = fresh
                try:
                    return await self._blocking(lambda: proof(fresh))  # what came may be the new file
                except IntegrityError:
                    pass
            await self._blocking(state.part.quarantine)
            if may_repeat and (changed or state.etag_changed or state.by_xet):
                raise _OnceMoreError from err
            raise

    def _place(self, part: Part, state: State) -> None:
        part.check_lease()
        part.write_journal(state.plan.snapshot())
        part.close_bytes()
        dest = self.job.dest
        try:
            dest.parent.mkdir(parents=True, exist_ok=True)
            rename_without_replacing(part.path, dest)
        except OSError as err:
            raise storage_error(err, dest) from err
        sync_folder(dest.parent)
        part.path.with_name(f"{part.path.name}.bad").unlink(missing_ok=True)

    def _result(self, size: int, sha256: str, verified: Verified, state: State) -> TransferResult:
        return TransferResult(
            path=self.job.dest,
            size_bytes=size,
            digest=Digest("sha256", sha256),
            verified=verified,
            bytes_fetched=self._bytes_before + state.bytes_fetched,
            restarted=self._restarts_before + state.restarted,
        )

    async def _blocking(self, call: Callable[[], T]) -> T:
        """Run a call in a thread; a cancellation waits for its end, so that nothing is closed under it."""
        future = asyncio.get_running_loop().run_in_executor(self.shared.executor, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise


def _size_of(state: State) -> int:
    if state.plan.size_bytes is None:
        raise RuntimeError("complete without a size")
    return state.plan.size_bytes


class _OnceMoreError(Exception):
    """The source says that the file is another one now: fetch it once more, from zero."""
