"""Which bytes a connection fetches next: pieces in file order, small at the end, stolen from the slowest (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from ...units import MIB
from ..part.ranges import Ranges

FIRST_PIECE_BYTES = 8 * MIB
_MIN_PIECE_BYTES = MIB
_SMALL_PIECE_BYTES = 4 * MIB
_LARGE_PIECE_BYTES = 64 * MIB
_PIECE_SECONDS = 0.25
_PIECE_LATENCIES = 50  # a request costs one latency without bytes: at most 2 % of its piece's time
_THEFT_STEP_BYTES = 64 << 10
_SLOW_RATIO = 4


@dataclass(slots=True, eq=False)
class Piece:
    """A range that one connection fetches; `position` moves from `start` to `stop` (None: to the end of the body)."""

    start: int
    stop: int | None
    position: int = -1

    def __post_init__(self) -> None:
        self.position = self.start


def piece_size(*, unclaimed_bytes: int, lanes: int, lane_rate: float | None, latency_seconds: float | None) -> int:
    """Choose how much the next request asks for.

    Long enough that requests cost little, short enough that the unbroken beginning of the file (and with it the
    digest) keeps up, and shrinking towards the end so that all connections finish together.
    """
    if lane_rate is None or latency_seconds is None:
        wanted = FIRST_PIECE_BYTES
    else:
        seconds = max(_PIECE_SECONDS, _PIECE_LATENCIES * latency_seconds)
        wanted = min(_LARGE_PIECE_BYTES, max(_SMALL_PIECE_BYTES, int(lane_rate * seconds)))
    return max(_MIN_PIECE_BYTES, min(wanted, unclaimed_bytes // (2 * max(1, lanes))))


class Plan:
    """The bytes of one file: which are there, which are being fetched, which are free to take."""

    def __init__(self, size_bytes: int | None, done: Ranges) -> None:
        self.size_bytes = size_bytes
        self.done = done
        self._claimed = done.copy()
        self.active: list[Piece] = []

    @property
    def complete(self) -> bool:
        """True when every byte is there."""
        return self.size_bytes is not None and self.done.covers(0, self.size_bytes)

    @property
    def has_free_bytes(self) -> bool:
        """True when something is neither there nor being fetched."""
        return self.size_bytes is None or self._claimed.first_gap(self.size_bytes) is not None

    @property
    def bytes_done(self) -> int:
        """What has arrived, that of unfinished pieces included."""
        return self.done.total + sum(piece.position - piece.start for piece in self.active)

    def take(self, *, lanes: int, lane_rate: float | None, latency_seconds: float | None) -> Piece | None:
        """Claim the first free bytes of the file."""
        if self.size_bytes is None:
            start = self._claimed.prefix
            return self._begin(start, start + FIRST_PIECE_BYTES)
        gap = self._claimed.first_gap(self.size_bytes)
        if gap is None:
            return None
        size = piece_size(
            unclaimed_bytes=self.size_bytes - self._claimed.total,
            lanes=lanes,
            lane_rate=lane_rate,
            latency_seconds=latency_seconds,
        )
        stop = min(gap[1], (gap[0] + size) // MIB * MIB if size >= MIB else gap[0] + size)
        return self._begin(gap[0], stop if stop > gap[0] else min(gap[1], gap[0] + size))

    def take_rest(self) -> Piece:
        """Claim everything behind the unbroken beginning, for the one connection of a server without ranges."""
        start = self.done.prefix
        self.done.remove(start, max(start, self.done.end))
        self._claimed = self.done.copy()
        return self._begin(start, self.size_bytes)

    def _begin(self, start: int, stop: int | None) -> Piece:
        piece = Piece(start, stop)
        if stop is not None:
            self._claimed.add(start, stop)
        self.active.append(piece)
        return piece

    def release(self, piece: Piece) -> None:
        """Take back a piece: what arrived is there, the rest is free again."""
        if piece not in self.active:
            return
        self.active.remove(piece)
        self.done.add(piece.start, piece.position)
        if piece.stop is not None:
            self._claimed.remove(piece.position, piece.stop)
        self._claimed.add(piece.start, piece.position)

    def drop(self, start: int, stop: int) -> None:
        """Forget bytes that turned out to be doubtful."""
        self.done.remove(start, stop)
        self._claimed = self.done.copy()
        for piece in self.active:
            if piece.stop is not None:
                self._claimed.add(piece.start, piece.stop)

    def learn_size(self, size_bytes: int) -> None:
        """Note the size that the server told first; pieces claimed beyond it are cut."""
        self.size_bytes = size_bytes
        for piece in self.active:
            if piece.stop is None or piece.stop > size_bytes:
                piece.stop = max(piece.position, size_bytes)
        self.drop(size_bytes, max(size_bytes, self.done.end))

    def frontier(self) -> int:
        """Return how many bytes are there without a gap from the beginning, that of running pieces included."""
        prefix = self.done.prefix
        for piece in sorted(self.active, key=lambda item: item.start):
            if piece.start > prefix:
                break
            prefix = max(prefix, piece.position)
        return prefix

    def snapshot(self) -> Ranges:
        """Return the bytes that are there now."""
        ranges = self.done.copy()
        for piece in self.active:
            ranges.add(piece.start, piece.position)
        return ranges

    def steal(self, victim: Piece, *, victim_rate: float, thief_rate: float) -> Piece | None:
        """Take the end of a running piece, so that both finish together; all of it from one that crawls.

        The victim's piece ends where the thief's begins.
        """
        if victim.stop is None:
            return None
        rest = victim.stop - victim.position
        kept = 0
        if victim_rate * _SLOW_RATIO >= thief_rate:
            kept = int(rest * victim_rate / (victim_rate + thief_rate)) if victim_rate + thief_rate > 0 else rest // 2
            kept = -(-kept // _THEFT_STEP_BYTES) * _THEFT_STEP_BYTES
        if rest - kept < _THEFT_STEP_BYTES and not (kept == 0 and rest > 0):
            return None
        cut, stop = victim.position + kept, victim.stop
        victim.stop = cut
        piece = Piece(cut, stop)
        self.active.append(piece)
        return piece


def slowest(
    pieces: list[tuple[Piece, float]], *, typical_rate: float, least_seconds: float
) -> tuple[Piece, float] | None:
    """Return the running piece that would be the last to end, when that takes longer than `least_seconds`."""

    def seconds_left(item: tuple[Piece, float]) -> float:
        piece, rate = item
        return ((piece.stop or piece.position) - piece.position) / max(rate, 1.0)

    worst = max(pieces, key=seconds_left, default=None)
    if worst is None or typical_rate <= 0 or seconds_left(worst) < least_seconds:
        return None
    return worst
