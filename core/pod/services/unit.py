"""The life of one service: wait, start, become ready, be watched, end, and be started again or not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...detached import detach
from ...errors import StowError
from ...records.pod import ServiceState, ServiceStatus
from .probe import failure_of
from .processes import ask_group, group_runs, kill_group
from .restart import RestartPolicy, after_end
from .service import Service, Timing
from .supervisor import AwayError, Supervisor, ended

_log = logging.getLogger("comfystow.pod")

_FIRST_LOOK_SECONDS = 0.1
_SLOWEST_START_LOOK_SECONDS = 1.0
#: One late answer is no illness: ComfyUI's loop shares its interpreter lock with the prompt that runs.
_FAILURES_UNTIL_UNHEALTHY = 2
_LAST_GRACE_SECONDS = 1.0
_AWAY_SECONDS = 0.5


@dataclass(slots=True)
class _Life:
    """What is known of the process that runs now."""

    pid: int
    started_at: float
    """Seconds since the epoch; the others are on the monotonic clock, which nobody sets."""
    ready_at: float | None = None
    sick_since: float | None = None
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class Unit:
    """One service under control. On the controller's loop only; `may_start` waits for what must be there first."""

    service: Service
    supervisor: Supervisor
    policy: RestartPolicy
    timing: Timing
    changed: Callable[[], None]
    may_start: Callable[[Unit], Awaitable[None]]
    state: ServiceState = ServiceState.WAITING
    reason: str | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    killed: bool = False
    """True once its process had to be killed."""
    _wanted: bool = True
    _order: asyncio.Event = field(default_factory=asyncio.Event)
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _life: _Life | None = None
    _failures: int = 0
    _restarts: int = 0
    _startup_seconds: float | None = None
    _response_seconds: float | None = None
    _last_exit: str | None = None
    _next_start_at: float | None = None

    # What others ask

    @property
    def status(self) -> ServiceStatus:
        """The service now."""
        return ServiceStatus(
            name=self.service.name,
            title=self.service.title,
            state=self.state,
            reason=self.reason,
            pid=self._life.pid if self._life is not None else None,
            port=self.service.port,
            url=self.service.url,
            started_at=self._life.started_at if self._life is not None else None,
            startup_seconds=self._startup_seconds,
            response_seconds=self._response_seconds,
            restarts=self._restarts,
            last_exit=self._last_exit,
            next_start_at=self._next_start_at,
        )

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return self._life.pid if self._life is not None else None

    @property
    def on_its_way(self) -> bool:
        """True until it has come up once, or has shown that it does not."""
        return self.state in {ServiceState.WAITING, ServiceState.STARTING} and self._last_exit is None

    def start(self) -> None:
        """Want it to run, and try at once."""
        self._failures = 0
        self._wanted = True
        self._order.set()
        self._settled.set()  # who waits for it to stop has been overtaken

    async def stop(self) -> None:
        """Want it not to run, and wait until it does not."""
        self._wanted = False
        await self._obeyed()

    def wait_for(self, what: str) -> None:
        """Say what it waits for before it starts."""
        self._become(ServiceState.WAITING, f"it waits for {what}")

    async def _obeyed(self) -> None:
        self._settled.clear()
        self._order.set()
        await self._settled.wait()

    # The life

    async def run(self) -> None:
        """Live until cancelled; a cancelled unit leaves its process alone."""
        while True:
            if not self._wanted:
                self._become(ServiceState.STOPPED, "somebody stopped it")
                self._settled.set()
                await self._order.wait()
                self._order.clear()
                continue
            if await self._allowed():
                pause = await self._guarded()
                if self._wanted and pause is not None:
                    await self._sleep(pause)

    async def _allowed(self) -> bool:
        """Wait for what must be there first; false when an order came instead."""
        waiting = asyncio.ensure_future(self.may_start(self))
        try:
            while self._wanted:
                if await self._until({waiting}, None):
                    return True
            return False
        finally:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting

    async def _guarded(self) -> float | None:
        try:
            return await self._live()
        except Exception:  # noqa: BLE001 - a worker's top level: a service that nobody looks after stays down for ever
            _log.exception("%s cannot be looked after", self.service.name)
            return self._failed("its controller failed; the log says how", None)

    async def _live(self) -> float | None:
        """Run the service once; return the pause before the next start, None where an order ended it."""
        self._become(ServiceState.STARTING, None)
        try:
            pid = await self.supervisor.start(self.service.name)
        except AwayError as err:
            self.wait_for(f"supervisord: {err.message}")
            return _AWAY_SECONDS
        except StowError as err:
            return self._failed(err.message, None)
        self._restarts += self._failures > 0
        self._life = life = _Life(pid, time.time())
        self.changed()
        gone = asyncio.create_task(ended(pid), name=f"end of {self.service.name}")
        try:
            why = await self._watch(life, gone)
            ordered = why is None and not self._wanted
            if why is not None or ordered:
                await self._end(life, gone)
            return await self._after(life, why, ordered=ordered)
        finally:
            gone.cancel()
            self._life = None
            self.ready.clear()

    async def _after(self, life: _Life, why: str | None, *, ordered: bool) -> float | None:
        """Clean up after a process, and judge its end; one that was ordered is no failure."""
        ready_seconds = time.monotonic() - life.ready_at if life.ready_at is not None else None
        said = str(await self.supervisor.exit_of(self.service.name))
        if await asyncio.to_thread(group_runs, life.pid):
            # What a dead service leaves behind holds its port: the next start would fail on it.
            kill_group(life.pid)
        if ordered:
            self._last_exit = said
            return None
        return self._failed(why or said, ready_seconds)

    def _failed(self, why: str, ready_seconds: float | None) -> float:
        verdict = after_end(self.policy, self._failures, ready_seconds)
        self._failures = verdict.failures
        self._last_exit = why
        self._next_start_at = time.time() + verdict.pause_seconds
        state = ServiceState.CRASH_LOOP if verdict.crash_loop else ServiceState.BACKOFF
        self._become(state, f"{why}; it is started again in {verdict.pause_seconds:.0f} s")
        return verdict.pause_seconds

    async def _watch(self, life: _Life, gone: asyncio.Task[None]) -> str | None:
        """Look at the service until it ends, an order comes, or it has to be ended: then say why."""
        pause, begun = _FIRST_LOOK_SECONDS, time.monotonic()
        while True:
            if await self._until({gone}, pause) or not self._wanted:
                return None
            asked = time.monotonic()
            look = await self._look(gone)
            if gone.done() or look.cancelled():
                return None
            problem = look.result()
            self._response_seconds = time.monotonic() - asked if problem is None else None
            now = time.monotonic()
            if problem is None:
                self._well(life, now - begun)
                pause = self.timing.check_seconds
            elif life.ready_at is None:
                self.reason = problem
                pause = min(_SLOWEST_START_LOOK_SECONDS, pause * 1.3)
                if now - begun > self.timing.start_seconds:
                    return f"it was not ready within {self.timing.start_seconds:g} s: {problem}"
            else:
                pause = min(_SLOWEST_START_LOOK_SECONDS, self.timing.check_seconds)
                if self._sick(life, now, problem):
                    return f"it hung: {problem}"

    async def _look(self, gone: asyncio.Task[None]) -> asyncio.Future[str | None]:
        """Ask the service how it is; the look is cancelled when the service ended, or is to, before it answered."""
        look = asyncio.wrap_future(
            detach("look", partial(failure_of, self.service.probe, self.timing.check_timeout_seconds))
        )
        try:
            while self._wanted and not gone.done() and not look.done():
                await self._until({gone, look}, None)
        finally:
            look.cancel()  # its thread may outlive the loop, and has nobody to tell then
        return look

    def _well(self, life: _Life, since_start_seconds: float) -> None:
        life.failures, life.sick_since = 0, None
        if life.ready_at is None:
            life.ready_at = time.monotonic()
            self._startup_seconds = since_start_seconds
        self.ready.set()
        self._become(ServiceState.READY, None)

    def _sick(self, life: _Life, now: float, problem: str) -> bool:
        """Note a wrong answer; true when it has been wrong for so long that the service is ended."""
        life.failures += 1
        life.sick_since = life.sick_since if life.sick_since is not None else now
        if life.failures >= _FAILURES_UNTIL_UNHEALTHY:
            self._become(ServiceState.UNHEALTHY, problem)
        return 0 < self.timing.hang_seconds <= now - life.sick_since

    async def _end(self, life: _Life, gone: asyncio.Task[None]) -> None:
        """Ask the process group to end, and kill what stays."""
        self._become(ServiceState.STOPPING, None)
        if not await self.supervisor.stop(self.service.name):
            ask_group(life.pid)
        deadline = time.monotonic() + self.timing.grace_seconds
        await asyncio.wait({gone}, timeout=self.timing.grace_seconds)
        last = min(deadline, time.monotonic() + _LAST_GRACE_SECONDS)
        while gone.done() and time.monotonic() < last and await asyncio.to_thread(group_runs, life.pid):
            await asyncio.sleep(0.05)
        if not gone.done() or await asyncio.to_thread(group_runs, life.pid):
            _log.warning("%s did not end within %g s, and is killed", self.service.name, self.timing.grace_seconds)
            self.killed = True
            kill_group(life.pid)
            await asyncio.wait({gone}, timeout=_LAST_GRACE_SECONDS)

    # Waiting

    async def _until(self, things: Collection[asyncio.Future[Any]], timeout_seconds: float | None) -> bool:
        """Wait for one of some things, an order, or the time; true when it is one of the things."""
        order = asyncio.ensure_future(self._order.wait())
        try:
            await asyncio.wait({*things, order}, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            order.cancel()
        self._order.clear()
        return any(thing.done() for thing in things)

    async def _sleep(self, seconds: float) -> None:
        """Wait out a pause, unless an order comes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._order.wait(), seconds)
        self._order.clear()
        self._next_start_at = None

    def _become(self, state: ServiceState, reason: str | None) -> None:
        told = (self.state, self.reason)
        self.state, self.reason = state, reason
        if told != (state, reason):
            self.changed()
