"""Brings the bytes of one file into its part: lanes, their failures, and the orders that concern them all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from statistics import median

from ..errors import (
    NotAModelError,
    RangeRefusedError,
    RemoteChangedError,
    ServerError,
    SizeMismatchError,
    StalledError,
    StowError,
    TruncatedBodyError,
)
from ..net.secrets import redact
from ..records.source import ResolvedFile
from ..units import MIB
from .adapt import Connections
from .budget import Budget
from .hashing import FrontierHasher
from .head import Meaning, Verdict, judge
from .job import TransferLimits
from .lane import OVERLAP_BYTES, CutShortError, Intake, Lane, SeamError
from .origin import Origin, Reply, WireReply
from .part import Part
from .plan import Piece, Plan, slowest
from .ranges import Ranges
from .ratelimit import Bucket
from .retry import Cure, Failures, backoff_seconds, can_heal, cure_for_status, is_refusal

_log = logging.getLogger("comfystow.transfer")

_PAGE_TYPES = ("text/html", "application/xml", "text/xml", "application/json")
_MAX_RESTARTS = 3
_MAX_RANGE_FAULTS = 4
_SLOW_RATIO = 6
_SLOW_AFTER_SECONDS = 2.0
_CRAWL_RATIO = 0.02
_JOURNAL_BYTES_PER_LANE = MIB  # what a killed process may lose
_LEAST_PROGRESS_BYTES = 4096  # less than this, and a failed exchange counts as one without progress


class _StaleError(Exception):
    """The address or the token was refused; `error` is what it will be if nothing helps."""

    def __init__(self, error: StowError, *, signed: bool) -> None:
        super().__init__(str(error))
        self.error, self.signed = error, signed


class _AgainError(Exception):
    """The same request again, another way."""


class Fetcher:
    """Fetches until every byte is in the part. `run` may be cancelled at any time; the part then goes on later."""

    def __init__(
        self,
        part: Part,
        origin: Origin,
        *,
        limits: TransferLimits,
        connections: Connections,
        budget: Budget,
        buckets: tuple[Bucket, ...],
        renew: Callable[[], Awaitable[ResolvedFile]] | None,
    ) -> None:
        self.part, self.origin = part, origin
        self.plan = Plan(part.size_bytes, part.done)
        self.connections = connections
        self.restarted = 0
        self.etag_changed = False
        self.end_untold = False
        """True when only the end of a connection said where the file ends."""
        self.bytes_fetched = 0
        self.note: str | None = None
        self.hasher = self._new_hasher()
        self._limits, self._budget, self._buckets, self._renew = limits, budget, buckets, renew
        self._loop = asyncio.get_running_loop()
        self._lanes: list[Lane] = []
        self._failures = Failures(limits.retry_limit)
        self._not_before = 0.0
        self._fatal: StowError | None = None
        self._order: Callable[[], Awaitable[None]] | None = None
        self._first_answer = False  # before it only one lane runs: it finds out what the server can do
        self._ranges_seen = False
        self._ranged = True
        self._single = False
        self._range_faults = 0
        self._seam_faults = 0
        self._changes = 0
        self._stale = 0
        self._stale_at = -1
        self._witnesses: dict[int, bytes] = {}
        self._latency: float | None = None
        self._unjournaled = 0
        self._best_rate = 0.0
        self._hinted_size: int | None = None

    # What the outside sees

    @property
    def lanes(self) -> int:
        """The number of connections at work."""
        return len(self._lanes)

    async def run(self, on_tick: Callable[[float], Awaitable[None]]) -> None:
        """Fetch all bytes; `on_tick` is called at every look around. Raises: StowError: what cannot be healed."""
        try:
            while not self.plan.complete:
                self._spawn()
                await self._wait()
                if self._order is not None:
                    order, self._order = self._order, None
                    await self._stop_lanes()
                    await order()
                if self._fatal is not None:
                    raise self._fatal
                self._watch()
                await on_tick(self._loop.time())
                if self.plan.complete:
                    await self._check_witnesses()
        finally:
            await self._stop_lanes()
            self._budget.leave(self)

    # Lanes

    def _allowed(self) -> int:
        wanted = (
            1 if self._single or not self._first_answer or self.plan.size_bytes is None else self.connections.target
        )
        return min(wanted, self._budget.share(self, self.origin.host, wanted))

    def _spawn(self) -> None:
        if self._order is not None or self._fatal is not None or self._loop.time() < self._not_before:
            return
        allowed = self._allowed()
        while len(self._lanes) < allowed:
            piece = self._next_piece()
            if piece is None:
                return
            lane = Lane(piece=piece)
            lane.begin(self._loop.time())
            self._lanes.append(lane)
            lane.task = self._loop.create_task(self._work(lane))

    def _next_piece(self) -> Piece | None:
        if self._single:
            return self.plan.take_rest() if not self.plan.active else None
        rate = self._typical_rate()
        piece = self.plan.take(lanes=self._allowed(), lane_rate=rate, latency_seconds=self._latency)
        if piece is not None or not self._ranges_seen:
            return piece
        running = [(lane.piece, lane.rate) for lane in self._lanes if lane.piece is not None and lane.reading]
        victim = slowest(running, typical_rate=rate or 0.0, least_seconds=0.25 + 4 * (self._latency or 0.0))
        return self.plan.steal(victim[0], victim_rate=victim[1], thief_rate=rate or 0.0) if victim else None

    async def _work(self, lane: Lane) -> None:
        try:
            while lane.piece is not None:
                await self._exchange(lane, lane.piece)
                self._settle(lane)
                over = len(self._lanes) > self._allowed() or self._loop.time() < self._not_before
                if over or self._order is not None or self._fatal is not None:
                    return
                lane.piece = self._next_piece()
                lane.begin(self._loop.time())
        except CutShortError:
            pass
        except _AgainError:
            pass
        except _StaleError as err:
            self._on_stale(err)
        except RemoteChangedError as err:
            self._on_changed(err.message)
        except StowError as err:
            self._on_failure(lane, err)
        finally:
            self._settle(lane)
            self._lanes.remove(lane)

    def _settle(self, lane: Lane) -> None:
        if lane.piece is not None:
            self.plan.release(lane.piece)
            lane.piece = None
            self.hasher.advance(self.plan.frontier())

    async def _stop_lanes(self) -> None:
        tasks = [lane.task for lane in self._lanes if lane.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _wait(self) -> None:
        tasks = [lane.task for lane in self._lanes if lane.task is not None]
        if self._order is not None or self._fatal is not None:
            return
        if tasks:
            await asyncio.wait(tasks, timeout=self._limits.tick_seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            pause = self._not_before - self._loop.time()
            await asyncio.sleep(min(self._limits.tick_seconds, max(pause, 0.001)))

    # One exchange

    async def _exchange(self, lane: Lane, piece: Piece) -> None:
        start = piece.start - min(OVERLAP_BYTES, piece.start) if self._ranged else 0
        asked = self._loop.time()
        conditional = self._ranged and self.part.etag is not None
        reply = await self.origin.ask(start=start, stop=piece.stop, etag=self.part.etag, ranged=self._ranged)
        try:
            now = self._loop.time()
            latency = now - asked
            self._latency = latency if self._latency is None else min(self._latency * 1.1, latency)
            lane.last_progress = now
            verdict = judge(
                reply.head,
                start=start,
                stop=piece.stop,
                size_bytes=self.plan.size_bytes,
                etag=self.part.etag,
                conditional=conditional,
            )
            await self._read(lane, piece, reply, verdict)
        finally:
            lane.reply, lane.reading = None, False
            await reply.close()

    async def _read(self, lane: Lane, piece: Piece, reply: Reply, verdict: Verdict) -> None:
        await self._refuse(reply, verdict)
        if reply.head.length is None and isinstance(reply, WireReply):
            self.origin.plain = True
            raise _AgainError
        if verdict.meaning is Meaning.END:
            await reply.text()
            self._on_end(verdict.size_bytes or 0)
            return
        whole = verdict.meaning is Meaning.WHOLE
        if whole and self.plan.size_bytes is None and self._hinted_size not in {None, verdict.stop}:
            raise RangeRefusedError("the server told two lengths of the file", hint="it is tried again")
        if whole:
            piece = self._accept_whole(lane, piece)
        else:
            self._ranges_seen = True
        if verdict.size_bytes is not None and self.plan.size_bytes is None:
            self._learn_size(verdict.size_bytes)
        if self.part.etag is None and reply.head.etag is not None:
            self.part.etag = reply.head.etag
        intake = Intake(
            lane=lane,
            piece=piece,
            part=self.part,
            plan=self.plan,
            buckets=self._buckets,
            on_bytes=self._on_bytes,
            keep_witness=self._witnesses.__setitem__,
            at=verdict.start,
            proven_until=piece.start,
            whole=whole,
            clock=self._loop.time,
        )
        lane.reply, lane.reading = reply, True
        if not self._first_answer:
            self._first_answer = True
            self._spawn()
        length = verdict.stop - verdict.start if verdict.stop is not None else None
        await reply.body(length, intake.take)
        if not whole:
            self._range_faults = 0
        elif self.plan.size_bytes is None:
            self.end_untold = not reply.head.chunked
            self._learn_size(piece.position)
        elif piece.position < self.plan.size_bytes:
            raise TruncatedBodyError("the body ended early", hint="it is tried again")

    async def _refuse(self, reply: Reply, verdict: Verdict) -> None:
        """Raise for every answer that holds no bytes of the file."""
        where = f"`{redact(reply.url)}`"
        match verdict.meaning:
            case Meaning.ERROR:
                error = await self.origin.refusal(reply)
                signed = reply.url != self.origin.url
                if cure_for_status(reply.head.status, signed_address=signed) is Cure.RENEW:
                    if not self.origin.is_current(reply):
                        raise _AgainError  # another connection has met this already
                    raise _StaleError(error, signed=signed)
                raise error
            case Meaning.REDIRECT:
                self.origin.forget()
                raise ServerError(f"{where} redirects where bytes were expected", hint="it is tried again")
            case Meaning.CHANGED if reply.head.headers.get("content-type", "").startswith(_PAGE_TYPES):
                if self.plan.bytes_done:
                    raise ServerError(f"{where} answered with a web page", hint="it is tried again")
                raise NotAModelError(
                    f"{where} is a web page or a message, not a model", hint="check the link; a token may be needed"
                )
            case Meaning.CHANGED:
                raise RemoteChangedError(f"{where} has another file now: {verdict.reason}", hint="it starts over")
            case Meaning.REFUSED:
                self._hinted_size = verdict.size_bytes or self._hinted_size
                raise RangeRefusedError(f"{where} answered with {verdict.reason}", hint="it is tried again")
            case Meaning.RANGE | Meaning.WHOLE | Meaning.END:
                return

    def _accept_whole(self, lane: Lane, piece: Piece) -> Piece:
        """A server that ignores the range: its one stream is taken, and what is there already is compared."""
        if self._ranges_seen and not self._single:
            raise RangeRefusedError(f"`{redact(self.origin.url)}` ignored a range", hint="it is tried again")
        if not self._single:
            self._single = True
            self.plan.release(piece)
            piece = lane.piece = self.plan.take_rest()
        return piece

    def _on_end(self, size_bytes: int) -> None:
        if self.plan.size_bytes is None and size_bytes == self.plan.done.prefix:
            self._learn_size(size_bytes)
        else:
            raise RangeRefusedError("the server says that the file ends earlier", hint="it is tried again")

    def _learn_size(self, size_bytes: int) -> None:
        self.plan.learn_size(size_bytes)
        self.part.size_bytes = size_bytes
        self.part.make_room()

    def _on_bytes(self, piece: Piece, count: int) -> None:
        self.bytes_fetched += count
        self._unjournaled += count
        if piece.start <= self.plan.done.prefix:
            self.hasher.advance(piece.position)
        if self._unjournaled >= _JOURNAL_BYTES_PER_LANE * max(1, len(self._lanes)):
            self.journal()

    def journal(self) -> None:
        """Note what is there."""
        self._unjournaled = 0
        self.part.write_journal(self.plan.snapshot())

    # Failures

    def _on_failure(self, lane: Lane, error: StowError) -> None:
        now = self._loop.time()
        if not can_heal(error):
            self._fatal = self._fatal or error
            return
        _log.debug("a connection failed: %s", error.message)
        if isinstance(error, RangeRefusedError):
            self._on_range_fault(error)
        if is_refusal(error):
            working = sum(1 for other in self._lanes if other is not lane and other.moved_bytes)
            self.connections.refused(now, working=working, retry_after=error.retry_after_seconds)
            if working:
                return
        elif lane.moved_bytes >= _LEAST_PROGRESS_BYTES:
            return
        if now < self._not_before:
            return  # the same incident: other lanes met it a moment ago
        if self._failures.note(error, self.plan.bytes_done):
            self._fatal = error
        self._not_before = now + backoff_seconds(
            self._failures.in_a_row,
            base=self._limits.retry_base_seconds,
            most=self._limits.retry_max_seconds,
            retry_after=error.retry_after_seconds,
        )

    def _on_range_fault(self, error: StowError) -> None:
        self._range_faults += 1
        if isinstance(error, SeamError):
            self._seam_faults += 1
            if self._seam_faults >= 2:
                self._order = self._distrust
        elif self._range_faults >= _MAX_RANGE_FAULTS and self._ranged:
            self._order = self._go_single

    async def _go_single(self) -> None:
        self.note = "the server serves no proper parts: one connection"
        self._single, self._ranged = True, False

    async def _distrust(self) -> None:
        self._single, self._ranged = True, False
        await self._restart(self.part.file, "the server's parts do not fit together: starting over on one connection")

    def _on_stale(self, stale: _StaleError) -> None:
        if self._order is not None:
            return
        if self.plan.bytes_done > self._stale_at:
            self._stale = 0
        self._stale = max(self._stale + 1, 1 if stale.signed else 2)
        self._stale_at = self.plan.bytes_done
        if self._stale == 1:
            self.origin.forget()
        elif self._stale == 2 and self._renew is not None:
            self._order = self._renew_source
        else:
            self._fatal = stale.error

    async def _renew_source(self) -> None:
        fresh = await self._ask_source()
        if self._is_other(fresh):
            await self._restart(fresh, "the file changed at its source: starting over")

    def _on_changed(self, reason: str) -> None:
        if self._order is None:
            self._order = lambda: self._change(reason)

    async def _change(self, reason: str) -> None:
        """The storage has other bytes, or other names for them; the source decides which."""
        self.etag_changed = True
        fresh = await self._ask_source()
        known = self.part.file.digest
        if known is None or fresh.digest != known or self._changes:
            await self._restart(fresh, "the file changed at its source: starting over", reason=reason)
        else:
            self._changes += 1
            self.part.etag = None  # the same content says the source; in the end the digest will tell

    async def _ask_source(self) -> ResolvedFile:
        self.origin.forget()
        if self._renew is None:
            return self.part.file
        fresh = await self._renew()
        self.origin.url = fresh.url
        return fresh

    def _is_other(self, fresh: ResolvedFile) -> bool:
        known = self.part.file
        if fresh.digest is not None and known.digest is not None:
            return fresh.digest != known.digest
        return None not in {fresh.size_bytes, known.size_bytes} and fresh.size_bytes != known.size_bytes

    async def _restart(self, file: ResolvedFile, note: str, *, reason: str = "") -> None:
        self.restarted += 1
        if self.restarted > _MAX_RESTARTS:
            if file.size_bytes is not None and "instead of" in reason:
                raise SizeMismatchError(reason, hint="the source promises another size; check the link")
            raise RemoteChangedError(f"the file keeps changing at its source: {reason}", hint="try again later")
        _log.info("%s: %s", self.part.path.name, note)
        self.note = note
        self._witnesses.clear()
        self.part.restart(file)
        self.hasher.close()
        self.hasher = self._new_hasher()
        self.plan = Plan(file.size_bytes, Ranges())
        self._failures.best_bytes = 0
        self._seam_faults = 0

    def _new_hasher(self) -> FrontierHasher:
        digest = self.part.file.digest
        return FrontierHasher(self.part.path, digest.algorithm if digest is not None else None)

    async def _check_witnesses(self) -> None:
        """Compare the overlaps whose other side was still on its way when they came."""
        wrong = [
            position
            for position, overlap in self._witnesses.items()
            if self.part.read(position - len(overlap), len(overlap)) != overlap
        ]
        self._witnesses.clear()
        if wrong:
            await self._stop_lanes()
            await self._distrust()

    # Looking around

    def _typical_rate(self) -> float | None:
        rates = [lane.rate for lane in self._lanes if lane.rate > 0]
        return median(rates) if rates else None

    def _watch(self) -> None:
        """Measure the lanes, replace those that stall or crawl, and adapt their number."""
        now = self._loop.time()
        reading = [lane for lane in self._lanes if lane.reading]
        for lane in reading:
            lane.measure(now)
        typical = self._typical_rate() or 0.0
        self._best_rate = max(self._best_rate, typical)
        limited = any(bucket.limited for bucket in self._buckets)
        for lane in reading:
            reason = self._why_replace(lane, now, typical, limited=limited)
            if reason is not None and lane.reply is not None:
                lane.reply.fail(StalledError(reason, hint="the connection is replaced"))
        self.connections.tick(
            now,
            self.bytes_fetched,
            active=sum(1 for lane in self._lanes if lane.rate > 0),
            window_seconds=max(0.3, 8 * (self._latency or 0.0)),
        )

    def _why_replace(self, lane: Lane, now: float, typical: float, *, limited: bool) -> str | None:
        stall = self._limits.stall_timeout_seconds
        if now - lane.last_progress > stall:
            return "no byte came for too long"
        if limited:
            return None
        slow = now - lane.began > _SLOW_AFTER_SECONDS and lane.rate * _SLOW_RATIO < typical
        if slow and len(self._lanes) > 2:
            return "a connection was far slower than the others"
        moved = lane.moved_in_window(now, stall)
        if moved is not None and moved < max(_LEAST_PROGRESS_BYTES, self._best_rate * stall * _CRAWL_RATIO):
            # If a new connection is no faster, the network is slow, and what was best once counts less and less.
            self._best_rate /= 8
            return "hardly a byte came for too long"
        return None
