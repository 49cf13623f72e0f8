"""One request and its answer: asked, judged, and its bytes taken in; or the reason why not."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from ...errors import (
    NotAModelError,
    RangeRefusedError,
    RemoteChangedError,
    ServerError,
    StowError,
    TruncatedBodyError,
)
from ...net.secrets import redact
from ..connections.head import Meaning, Verdict, judge
from ..connections.origin import Origin, Reply, WireReply
from .behind import WriteBehind
from .lane import CutShortError, Intake, Lane
from .plan import Piece
from .ratelimit import Bucket
from .retry import Cure, cure_for_status
from .seams import overlap_bytes
from .state import State

_PAGE_TYPES = ("text/html", "application/xml", "text/xml", "application/json")
_AGAIN = "it is tried again"


class StaleError(Exception):
    """The address or the token was refused; `error` is what it will be if nothing helps."""

    def __init__(self, error: StowError, *, signed: bool) -> None:
        super().__init__(str(error))
        self.error, self.signed = error, signed


class AgainError(Exception):
    """The same request again, another way; no failure."""


class Exchanges:
    """Carries out the requests of one download."""

    def __init__(self, state: State, origin: Origin, buckets: tuple[Bucket, ...], executor: Executor) -> None:
        self._executor = executor
        self._state, self._origin, self._buckets = state, origin, buckets
        self._loop = asyncio.get_running_loop()

    async def run(self, lane: Lane, piece: Piece) -> None:
        """Fetch a piece, or as much of it as one answer brings.

        Raises: StaleError, AgainError, CutShortError, and what went wrong from `core.errors`.
        """
        state = self._state
        start = piece.start - min(overlap_bytes(state), piece.start) if state.ranged else 0
        etag = state.part.etag
        asked = self._loop.time()
        reply = await self._origin.ask(start=start, stop=piece.stop, etag=etag, ranged=state.ranged)
        try:
            lane.last_progress = now = self._loop.time()
            known = state.latency_seconds
            state.latency_seconds = now - asked if known is None else min(known * 1.1, now - asked)
            verdict = judge(
                reply.head,
                start=start,
                stop=piece.stop,
                size_bytes=state.plan.size_bytes,
                etag=etag,
                conditional=state.ranged and etag is not None,
            )
            await self._refuse(reply, verdict)
            if verdict.meaning is Meaning.END:
                await self._end(reply, verdict)
            else:
                piece = self._accept(lane, piece, reply, verdict)
                await self._read(lane, piece, reply, verdict)
        finally:
            lane.reply, lane.reading = None, False
            await reply.close()

    async def _refuse(self, reply: Reply, verdict: Verdict) -> None:
        """Raise for every answer that holds no bytes of the file."""
        where = f"`{redact(reply.url)}`"
        match verdict.meaning:
            case Meaning.ERROR:
                await self._refuse_error(reply)
            case Meaning.REDIRECT:
                self._origin.forget()
                raise ServerError(f"{where} redirects where bytes were expected", hint=_AGAIN)
            case Meaning.CHANGED if reply.head.headers.get("content-type", "").startswith(_PAGE_TYPES):
                if self._state.plan.bytes_done:
                    raise ServerError(f"{where} answered with a web page", hint=_AGAIN)
                raise NotAModelError(
                    f"{where} is a web page or a message, not a model", hint="check the link; a token may be needed"
                )
            case Meaning.CHANGED:
                raise RemoteChangedError(f"{where} has another file now: {verdict.reason}", hint="it starts over")
            case Meaning.REFUSED:
                self._state.hinted_size = verdict.size_bytes or self._state.hinted_size
                raise RangeRefusedError(f"{where} answered with {verdict.reason}", hint=_AGAIN)
            case Meaning.RANGE | Meaning.WHOLE | Meaning.END:
                return

    async def _refuse_error(self, reply: Reply) -> None:
        error = await self._origin.refusal(reply)
        signed = reply.url != self._origin.url
        if cure_for_status(reply.head.status, signed_address=signed) is not Cure.RENEW:
            raise error
        if not self._origin.is_current(reply):
            raise AgainError  # another connection has met this already, and the address was renewed
        raise StaleError(error, signed=signed)

    async def _end(self, reply: Reply, verdict: Verdict) -> None:
        await reply.text()
        plan = self._state.plan
        if plan.size_bytes is not None or verdict.size_bytes != plan.done.prefix:
            raise RangeRefusedError("the server says that the file ends earlier", hint=_AGAIN)
        self._state.learn_size(plan.done.prefix)

    def _accept(self, lane: Lane, piece: Piece, reply: Reply, verdict: Verdict) -> Piece:
        """Learn from a good answer; return the piece that its body fills."""
        state = self._state
        if reply.head.length is None and isinstance(reply, WireReply):
            self._origin.plain = True
            raise AgainError
        if verdict.meaning is Meaning.RANGE:
            state.ranges_seen = True
            if 0 < piece.start == verdict.start:
                state.seams.add(piece.start)
        else:
            piece = self._accept_whole(lane, piece, verdict)
        if verdict.size_bytes is not None and state.plan.size_bytes is None:
            state.learn_size(verdict.size_bytes)
        if state.part.etag is None:
            state.part.etag = reply.head.etag
        return piece

    def _accept_whole(self, lane: Lane, piece: Piece, verdict: Verdict) -> Piece:
        """Take the one stream of a server that ignores ranges; what is there already is compared."""
        state = self._state
        if state.plan.size_bytes is None and state.hinted_size not in {None, verdict.stop}:
            raise RangeRefusedError("the server told two lengths of the file", hint=_AGAIN)
        if state.single:
            return piece
        if state.ranges_seen:
            raise RangeRefusedError(f"`{redact(self._origin.url)}` ignored a range", hint=_AGAIN)
        state.single = True
        state.plan.release(piece)
        lane.piece = state.plan.take_rest()
        return lane.piece

    async def _read(self, lane: Lane, piece: Piece, reply: Reply, verdict: Verdict) -> None:
        state = self._state
        whole = verdict.meaning is Meaning.WHOLE
        intake = Intake(
            lane=lane,
            piece=piece,
            part=state.part,
            plan=state.plan,
            buckets=self._buckets,
            on_bytes=state.on_bytes,
            keep_witness=state.witnesses.__setitem__,
            at=verdict.start,
            proven_until=piece.start,
            whole=whole,
            clock=self._loop.time,
            behind=WriteBehind(state, piece, self._executor) if state.part.network else None,
        )
        behind = intake.behind
        lane.reply, lane.reading = reply, True
        state.answered = True
        lane.on_answer()
        length = verdict.stop - verdict.start if verdict.stop is not None else None
        chunk = min((size for bucket in self._buckets if (size := bucket.chunk_bytes) is not None), default=None)
        try:
            await reply.body(length, intake.take, chunk)
            if behind is not None:
                await behind.flush()
        except CutShortError:
            if behind is not None:
                await behind.flush()
            raise
        finally:
            if behind is not None:
                await behind.abandon()
        if not whole:
            return
        if state.plan.size_bytes is None:
            state.end_untold = not reply.head.chunked
            state.learn_size(piece.position)
        elif piece.position < state.plan.size_bytes:
            raise TruncatedBodyError("the body ended early", hint=_AGAIN)
