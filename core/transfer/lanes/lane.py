"""One connection's work on one piece: where the bytes of a body belong, and what must agree with what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ...errors import RangeRefusedError, RemoteChangedError, SizeMismatchError
from ..connections.origin import Reply
from ..part.part import Part
from .behind import WriteBehind
from .plan import Piece, Plan
from .ratelimit import Bucket

#: What every continuation asks for again and compares: a shifted or foreign body shows there.
OVERLAP_BYTES = 4096

_SAMPLE_SECONDS = 0.05
_SMOOTHING = 0.25


class CutShortError(Exception):
    """The piece ends here because another connection took the rest; no failure."""


@dataclass(slots=True, eq=False)
class Lane:
    """A connection at work: its piece, and how fast it is."""

    on_answer: Callable[[], None] = lambda: None
    """Called when a good answer begins, so that other lanes need not wait for the next look around."""
    task: asyncio.Task[None] | None = None
    piece: Piece | None = None
    reply: Reply | None = None
    began: float = 0.0
    last_progress: float = 0.0
    moved_bytes: int = 0
    rate: float = 0.0
    reading: bool = False
    _sampled: tuple[float, int] = (0.0, 0)
    _window: tuple[float, int] = (0.0, 0)

    def begin(self, now: float) -> None:
        """A new exchange begins."""
        self.began = self.last_progress = now
        self.moved_bytes = 0
        self.reading = False
        self._sampled = self._window = (now, 0)

    def measure(self, now: float) -> None:
        """Take the present rate into the smoothed one."""
        then, moved = self._sampled
        if now - then < _SAMPLE_SECONDS:
            return
        latest = (self.moved_bytes - moved) / (now - then)
        self.rate = latest if self.rate == 0.0 else self.rate + _SMOOTHING * (latest - self.rate)
        self._sampled = (now, self.moved_bytes)

    def moved_in_window(self, now: float, seconds: float) -> int | None:
        """Return what came in the last window of that length; None while it has not passed."""
        then, moved = self._window
        if now - then < seconds:
            return None
        self._window = (now, self.moved_bytes)
        return self.moved_bytes - moved


@dataclass(slots=True, eq=False)
class Intake:
    """Takes the body of one answer, beginning at byte `at` of the file, for one lane.

    What lies before `proven_until` is there already, or is another connection's: it is compared, not written.
    """

    lane: Lane
    piece: Piece
    part: Part
    plan: Plan
    buckets: tuple[Bucket, ...]
    on_bytes: Callable[[Piece, int], None]
    keep_witness: Callable[[int, bytes], None]
    at: int
    proven_until: int
    whole: bool
    clock: Callable[[], float]
    behind: WriteBehind | None = None
    """Set on network volumes: bytes go through it instead of straight to the disk."""
    _overlap: bytearray = field(default_factory=bytearray)

    def take(self, view: memoryview) -> float:
        """Put the next bytes in their place; return how long to pause."""
        now = self.clock()
        lane, piece = self.lane, self.piece
        count = len(view)
        pause = 0.0
        if self.at < self.proven_until:
            view = self._compare(view)
        if view:
            position = piece.position if self.behind is None else self.behind.received
            room = len(view) if piece.stop is None else max(0, piece.stop - position)
            if room < len(view):
                view = view[:room]
            size = self.plan.size_bytes
            if size is not None and position + len(view) > size:
                raise SizeMismatchError("the server sends more than the promised size", hint="check the source")
            if view:
                pause = self._put(view)
            if room < count and position + len(view) == piece.stop:
                raise CutShortError
        lane.moved_bytes += count
        for bucket in self.buckets:
            if bucket.limited:
                pause = max(pause, bucket.take(count, now))
        lane.last_progress = now + pause
        return pause

    def _put(self, view: memoryview) -> float:
        if self.behind is not None:
            return self.behind.put(view)
        piece = self.piece
        self.part.write(piece.position, view)
        piece.position += len(view)
        self.on_bytes(piece, len(view))
        return 0.0

    def _compare(self, view: memoryview) -> memoryview:
        count = min(len(view), self.proven_until - self.at)
        head, rest = view[:count], view[count:]
        if self.whole:
            if self.part.read(self.at, count) != head:
                raise RemoteChangedError("the server's file differs from what has arrived", hint="it starts over")
            self.at += count
            return rest
        self._overlap += head
        self.at += count
        if self.at == self.proven_until:
            self._judge_overlap()
        return rest

    def _judge_overlap(self) -> None:
        start = self.proven_until - len(self._overlap)
        if not self.plan.done.covers(start, self.proven_until):
            self.keep_witness(self.proven_until, bytes(self._overlap))
        elif self.part.read(start, len(self._overlap)) != self._overlap:
            raise SeamError("the server's part does not continue what has arrived", hint="it is tried again")


class SeamError(RangeRefusedError):
    """The overlap of a continuation differs from the bytes that are there."""
