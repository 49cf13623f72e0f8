"""The transfer engine: one thread with its own event loop for all sockets and writes of all transfers.

Callers await `fetch` on any loop of their own; what they pass in (`renew`, `on_progress`) is called there.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..net.egress import EgressGate
from ..records.source import ResolvedFile
from .connections.pool import ConnectionPool
from .job import OnProgress, Renew, TransferJob, TransferLimits, TransferProgress, TransferResult
from .lanes.budget import Budget
from .lanes.ratelimit import Bucket
from .part.machine import Machine
from .transfer import Shared, Transfer

_CLOSE_SECONDS = 10.0
_BLOCKING_THREADS = 16


class TransferEngine:
    """Fetches files. The thread starts with the first one; `close` ends it."""

    def __init__(self, limits: TransferLimits, client: HttpClient, gate: EgressGate) -> None:
        self._limits, self._client, self._gate = limits, client, gate
        self._lock = threading.Lock()  # guards _world and _closed
        self._world: _World | None = None
        self._closed = False
        self._rate = limits.limit_rate_bytes_per_second

    async def fetch(
        self,
        job: TransferJob,
        *,
        renew: Renew | None = None,
        credentials: Credentials | None = None,
        on_progress: OnProgress | None = None,
    ) -> TransferResult:
        """Bring a file under its final name. Cancelling pauses: the part stays, and the next call goes on from it.

        Raises: the errors of `core.errors`; nothing is under the final name then.
        """
        world = self._started()
        here = asyncio.get_running_loop()

        async def renew_there() -> ResolvedFile:
            if renew is None:
                return job.file
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_as_coroutine(renew()), here))

        def report(progress: TransferProgress) -> None:
            if on_progress is not None:
                here.call_soon_threadsafe(on_progress, progress)

        transfer = Transfer(
            job=job,
            shared=world.shared,
            credentials=credentials,
            renew=renew_there if renew is not None else None,
            report=report,
        )
        return await world.run(transfer.run())

    def set_rate(self, rate_bytes_per_second: int | None) -> None:
        """Change the limit of all transfers together; None lifts it."""
        with self._lock:
            self._rate = rate_bytes_per_second
            if self._world is not None:
                bucket = self._world.shared.bucket
                self._world.loop.call_soon_threadsafe(bucket.set_rate, rate_bytes_per_second)

    def set_job_rate(self, dest: Path, rate_bytes_per_second: int | None) -> None:
        """Change the limit of the job that runs for a destination; None lifts it. Nothing happens without one."""
        with self._lock:
            if self._world is not None:
                self._world.loop.call_soon_threadsafe(self._world.set_job_rate, dest, rate_bytes_per_second)

    def close(self) -> None:
        """Pause what runs and end the thread."""
        with self._lock:
            self._closed = True
            world, self._world = self._world, None
        if world is not None:
            world.close()

    def _started(self) -> _World:
        with self._lock:
            if self._closed:
                raise RuntimeError("the transfer engine is closed")
            if self._world is None:
                self._world = _World(self._limits, self._client, self._gate, self._rate)
            return self._world


class _World:
    """The thread, its loop, and what lives on it."""

    def __init__(self, limits: TransferLimits, client: HttpClient, gate: EgressGate, rate: int | None) -> None:
        # A selector loop everywhere: Windows' proactor cannot watch plain sockets.
        self.loop = asyncio.SelectorEventLoop()
        self._client = client
        self._tasks: set[asyncio.Task[Any]] = set()
        self._executor = ThreadPoolExecutor(_BLOCKING_THREADS, thread_name_prefix="comfystow-disk")
        self._pool = ConnectionPool(
            connect_timeout_seconds=limits.connect_timeout_seconds, idle_seconds=limits.idle_connection_seconds
        )
        self.shared = Shared(
            limits=limits,
            client=client,
            gate=gate,
            pool=self._pool,
            budget=Budget(total=limits.connections_total, per_host=limits.connections_per_host),
            bucket=Bucket(rate),
            own_buckets={},
            executor=self._executor,
            machine=Machine.here(),
        )
        self._thread = threading.Thread(target=self._serve, name="comfystow-transfer", daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, TransferResult]) -> TransferResult:
        """Run a coroutine on the thread's loop; a cancellation of the caller waits until the work has wound up."""
        here = asyncio.get_running_loop()
        outcome: asyncio.Future[TransferResult] = here.create_future()
        tasks: list[asyncio.Task[TransferResult]] = []

        def begin() -> None:
            task = self.loop.create_task(work)
            tasks.append(task)
            self._tasks.add(task)
            task.add_done_callback(ended)

        def ended(task: asyncio.Task[TransferResult]) -> None:
            self._tasks.discard(task)
            with contextlib.suppress(RuntimeError):  # the caller's loop is gone
                here.call_soon_threadsafe(_copy_outcome, task, outcome)

        self.loop.call_soon_threadsafe(begin)
        try:
            return await asyncio.shield(outcome)
        except asyncio.CancelledError:
            if not outcome.done():
                self.loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
                await asyncio.wait([outcome])
                if not outcome.cancelled():
                    outcome.exception()  # seen: the cancellation goes first
            raise

    def set_job_rate(self, dest: Path, rate_bytes_per_second: int | None) -> None:
        """Change the limit of one job."""
        bucket = self.shared.own_buckets.get(dest)
        if bucket is not None:
            bucket.set_rate(rate_bytes_per_second)

    def close(self) -> None:
        """Cancel the transfers, and end loop and thread."""
        self.loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self._end(), loop=self.loop))
        self._thread.join(_CLOSE_SECONDS)
        self._executor.shutdown(wait=False)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=_CLOSE_SECONDS)
        self._pool.close()
        await self._client.close()
        self.loop.stop()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.call_later(1.0, self._sweep)
            self.loop.run_forever()
        finally:
            self.loop.close()

    def _sweep(self) -> None:
        self._pool.sweep()
        self.loop.call_later(1.0, self._sweep)


def _copy_outcome(task: asyncio.Task[TransferResult], outcome: asyncio.Future[TransferResult]) -> None:
    if task.cancelled():
        outcome.cancel()
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


async def _as_coroutine(awaitable: Awaitable[ResolvedFile]) -> ResolvedFile:
    return await awaitable
