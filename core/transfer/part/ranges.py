"""Sets of byte ranges: what is there, what is handed out, what is missing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of bytes, kept as sorted, disjoint, half-open ranges that do not touch."""

    __slots__ = ("_starts", "_stops")

    def __init__(self, items: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in items:
            self.add(start, stop)

    def add(self, start: int, stop: int) -> None:
        """Put the bytes `[start, stop)` in."""
        if stop <= start:
            return
        first = bisect_left(self._stops, start)  # the first range that ends at or after `start`
        last = bisect_right(self._starts, stop)  # one behind the last that begins at or before `stop`
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def remove(self, start: int, stop: int) -> None:
        """Take the bytes `[start, stop)` out."""
        if stop <= start:
            return
        first = bisect_right(self._stops, start)  # the first range that ends after `start`
        last = bisect_left(self._starts, stop)  # one behind the last that begins before `stop`
        if first >= last:
            return
        left = (self._starts[first], start)
        right = (stop, self._stops[last - 1])
        kept = [item for item in (left, right) if item[0] < item[1]]
        self._starts[first:last] = [item[0] for item in kept]
        self._stops[first:last] = [item[1] for item in kept]

    def covers(self, start: int, stop: int) -> bool:
        """Tell whether all of `[start, stop)` is in."""
        if stop <= start:
            return True
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and self._stops[at] >= stop

    def first_gap(self, stop: int, start: int = 0) -> tuple[int, int] | None:
        """Return the first missing range of `[start, stop)`."""
        at = bisect_right(self._starts, start) - 1
        if at >= 0 and self._stops[at] > start:
            start = self._stops[at]
        if start >= stop:
            return None
        after = at + 1
        end = self._starts[after] if after < len(self._starts) else stop
        return start, min(end, stop)

    @property
    def total(self) -> int:
        """The number of bytes in it."""
        return sum(self._stops) - sum(self._starts)

    @property
    def prefix(self) -> int:
        """How many bytes are in without a gap from the beginning."""
        return self._stops[0] if self._starts and self._starts[0] == 0 else 0

    @property
    def end(self) -> int:
        """One behind the last byte that is in."""
        return self._stops[-1] if self._stops else 0

    def copy(self) -> Ranges:
        """Return another set with the same bytes."""
        twin = Ranges()
        twin._starts, twin._stops = self._starts.copy(), self._stops.copy()
        return twin

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._stops, strict=True)))

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"
