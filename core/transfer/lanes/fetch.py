"""Brings the bytes of one file into its part: how many lanes run, what each fetches, and when one is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from math import inf
from statistics import median

from ...errors import RemoteChangedError, StalledError, StowError
from ..connections.origin import Origin
from ..job import TransferLimits
from .adapt import Connections
from .budget import Budget, Seat
from .cures import LEAST_PROGRESS_BYTES, Cures
from .exchange import AgainError, Exchanges, StaleError
from .lane import CutShortError, Lane
from .plan import Piece, slowest
from .ratelimit import Bucket
from .seams import are_suspect, seams_hold
from .state import State

_SLOW_RATIO = 6
_SLOW_AFTER_SECONDS = 2.0
_CRAWL_RATIO = 0.02
_THEFT_SECONDS = 0.25
_LEAST_WINDOW_SECONDS = 0.3
_QUIET_SECONDS = 0.15  # no gathered bytes for that long: read what is there


class Fetcher:
    """Fetches until every byte is in the part. `run` may be cancelled at any time; the part then goes on later."""

    def __init__(
        self,
        state: State,
        origin: Origin,
        *,
        limits: TransferLimits,
        connections: Connections,
        budget: Budget,
        buckets: tuple[Bucket, ...],
        cures: Cures,
        executor: Executor,
    ) -> None:
        self._state, self._origin = state, origin
        self._limits, self._connections, self._budget = limits, connections, budget
        self._stirred = asyncio.Event()  # a lane has ended, or there is room for one
        self._seat = Seat(self._stirred.set)
        self._limited = buckets
        self._cures = cures
        self._exchanges = Exchanges(state, origin, buckets, executor)
        self._loop = asyncio.get_running_loop()
        self._lanes: list[Lane] = []
        self._best_rate = 0.0

    async def run(self, on_tick: Callable[[float], Awaitable[None]]) -> None:
        """Fetch all bytes; `on_tick` is called at every look around. Raises: StowError: what cannot be healed."""
        cures = self._cures
        try:
            while not self._state.plan.complete:
                self._spawn()
                await self._wait()
                if cures.order is not None:
                    await self._stop_lanes()
                    order, cures.order = cures.order, None
                    await order()
                if cures.fatal is not None:
                    raise cures.fatal
                self._watch()
                await on_tick(self._loop.time())
                if self._state.plan.complete and not self._state.seams_agree():
                    await self._stop_lanes()
                    await cures.distrust()
        finally:
            await self._stop_lanes()
            self._budget.leave(self._seat)

    async def was_misled(self, digests: dict[str, str]) -> bool:
        """Find out whether wrong ranges made the digest wrong; all is begun again then, and `run` fetches it."""
        if not are_suspect(self._state, digests) or await seams_hold(self._state, self._origin):
            return False
        await self._cures.distrust()
        return True

    def _allowed(self) -> int:
        state = self._state
        one = state.single or not state.answered or state.plan.size_bytes is None
        wanted = 1 if one else self._connections.target
        return min(wanted, self._budget.want(self._seat, self._origin.host, wanted))

    def _spawn(self) -> None:
        if self._cures.blocked:
            return
        allowed = self._allowed()
        while len(self._lanes) < allowed and self._budget.may_begin(self._seat):
            if (piece := self._next_piece()) is None:
                return
            lane = Lane(piece=piece, on_answer=self._spawn)
            lane.begin(self._loop.time())
            self._lanes.append(lane)
            self._count_lanes()
            lane.task = self._loop.create_task(self._work(lane))

    def _next_piece(self) -> Piece | None:
        plan = self._state.plan
        if self._state.single:
            return plan.take_rest() if not plan.active else None
        rate, latency = self._typical_rate(), self._state.latency_seconds
        piece = plan.take(lanes=self._allowed(), lane_rate=rate, latency_seconds=latency)
        if piece is not None or not self._state.ranges_seen or rate is None:
            return piece
        running = [(lane.piece, lane.rate) for lane in self._lanes if lane.piece is not None and lane.reading]
        victim = slowest(running, typical_rate=rate, least_seconds=_THEFT_SECONDS + 4 * (latency or 0.0))
        return plan.steal(victim[0], victim_rate=victim[1], thief_rate=rate) if victim else None

    async def _work(self, lane: Lane) -> None:
        try:
            while lane.piece is not None:
                await self._exchanges.run(lane, lane.piece)
                self._cures.on_success()
                self._settle(lane)
                if self._cures.blocked or len(self._lanes) > self._allowed():
                    return
                lane.piece = self._next_piece()
                lane.begin(self._loop.time())
        except (CutShortError, AgainError):
            pass
        except StaleError as err:
            self._cures.on_stale(err)
        except RemoteChangedError as err:
            self._cures.on_changed(err.message)
        except StowError as err:
            self._cures.on_failure(lane, err, [other for other in self._lanes if other is not lane])
        finally:
            self._settle(lane)
            self._lanes.remove(lane)
            self._count_lanes()
            self._stirred.set()

    def _count_lanes(self) -> None:
        self._state.lanes = len(self._lanes)
        self._budget.use(self._seat, len(self._lanes))

    def _settle(self, lane: Lane) -> None:
        if lane.piece is not None:
            self._state.release(lane.piece)
            lane.piece = None

    async def _stop_lanes(self) -> None:
        tasks = [lane.task for lane in self._lanes if lane.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for lane in self._lanes:  # a task that is cancelled before its first step never cleans up by itself
            self._settle(lane)
        self._lanes.clear()
        self._count_lanes()

    async def _wait(self) -> None:
        if self._cures.order is not None or self._cures.fatal is not None:
            return
        seconds, pause = self._limits.tick_seconds, self._cures.not_before - self._loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, pause) if pause > 0 else seconds):
                await self._stirred.wait()
        self._stirred.clear()

    def _typical_rate(self) -> float | None:
        rates = [lane.rate for lane in self._lanes if lane.rate > 0]
        return median(rates) if rates else None

    def _watch(self) -> None:
        """Measure the lanes, replace those that stall or crawl, and adapt their number."""
        now = self._loop.time()
        reading = [lane for lane in self._lanes if lane.reading]
        for lane in reading:
            lane.measure(now)
            if lane.reply is not None:
                lane.reply.pace(lane.rate if now - lane.last_progress < _QUIET_SECONDS else 0.0)
        typical = self._typical_rate() or 0.0
        self._best_rate = max(self._best_rate, typical)
        for lane in reading:
            reason = self._why_replace(lane, now, typical)
            if reason is not None and lane.reply is not None:
                lane.reply.fail(StalledError(reason, hint="the connection is replaced"))
        self._make_way(reading)
        self._connections.tick(
            now,
            self._state.bytes_fetched,
            active=sum(1 for lane in self._lanes if lane.rate > 0),
            window_seconds=max(_LEAST_WINDOW_SECONDS, 8 * (self._state.latency_seconds or 0.0)),
        )

    def _make_way(self, reading: list[Lane]) -> None:
        """Give up the connections that others wait for: those that would be at work longest."""
        excess = 0 if self._state.single else self._budget.excess(self._seat)
        for lane in sorted(reading, key=_seconds_left, reverse=True)[:excess]:
            if lane.reply is not None and _seconds_left(lane) > _THEFT_SECONDS:
                lane.reply.fail(CutShortError())

    def _why_replace(self, lane: Lane, now: float, typical: float) -> str | None:
        stall = self._limits.stall_timeout_seconds
        if now - lane.last_progress > stall:
            return "no byte came for too long"
        if any(bucket.limited for bucket in self._limited):
            return None
        slow = now - lane.began > _SLOW_AFTER_SECONDS and lane.rate * _SLOW_RATIO < typical
        if slow and len(self._lanes) > 2:
            return "a connection was far slower than the others"
        moved = lane.moved_in_window(now, stall)
        if moved is not None and moved < max(LEAST_PROGRESS_BYTES, self._best_rate * stall * _CRAWL_RATIO):
            # If a new connection is no faster, the network is slow, and what was best once counts less and less.
            self._best_rate /= 8
            return "hardly a byte came for too long"
        return None


def _seconds_left(lane: Lane) -> float:
    piece = lane.piece
    if piece is None:
        return 0.0
    return inf if piece.stop is None or lane.rate <= 0 else (piece.stop - piece.position) / lane.rate
