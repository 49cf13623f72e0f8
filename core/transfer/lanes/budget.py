"""How many connections each transfer may have: the limits a host and in all, shared fairly.

A share is a right, and connections that run are a fact: while another transfer still has more than its share, nobody
begins one that would break a limit. Whoever is above its share gives up connections at its next look around.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .adapt import fair_shares


@dataclass(slots=True, eq=False)
class Seat:
    """One transfer's place: what it wants, what it may have, and how many connections it has.

    `wake` is called when the transfer may begin a connection.
    """

    wake: Callable[[], None]
    host: str = ""
    wanted: int = 0
    share: int = 0
    used: int = 0


class Budget:
    """Knows what every transfer wants and has, and shares out anew whenever that changes."""

    def __init__(self, *, total: int, per_host: int) -> None:
        self._total, self._per_host = total, per_host
        self._seats: list[Seat] = []

    def want(self, seat: Seat, host: str, wanted: int) -> int:
        """Say what a transfer wants from a host, and return its share. The first time it takes its place."""
        if seat not in self._seats:
            self._seats.append(seat)
        elif (seat.host, seat.wanted) == (host, wanted):
            return seat.share
        seat.host, seat.wanted = host, wanted
        self._share_out()
        return seat.share

    def leave(self, seat: Seat) -> None:
        """Forget a transfer that has ended."""
        if seat in self._seats:
            self._seats.remove(seat)
            seat.wanted = seat.share = 0
            self._share_out()

    def may_begin(self, seat: Seat) -> bool:
        """Tell whether the transfer may begin one more connection now; `use` counts it."""
        if seat.used >= seat.share:
            return False
        on_host = sum(other.used for other in self._seats if other.host == seat.host)
        return on_host < self._per_host and sum(other.used for other in self._seats) < self._total

    def use(self, seat: Seat, count: int) -> None:
        """Note how many connections a transfer has now."""
        fewer, seat.used = count < seat.used, count
        if fewer:
            self._wake()

    def excess(self, seat: Seat) -> int:
        """Return how many connections a transfer should give up, because others wait for their share."""
        if (over := min(seat.used, seat.wanted) - seat.share) <= 0:
            return 0
        return min(over, sum(max(0, other.share - other.used) for other in self._seats))

    def _share_out(self) -> None:
        shares = fair_shares(
            [(number, seat.host, seat.wanted) for number, seat in enumerate(self._seats)],
            total=self._total,
            per_host=self._per_host,
        )
        for number, seat in enumerate(self._seats):
            seat.share = shares[number]
        self._wake()

    def _wake(self) -> None:
        for seat in self._seats:
            if self.may_begin(seat):
                seat.wake()
