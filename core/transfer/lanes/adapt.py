"""How many connections a download uses: more while that helps, fewer when the server says so (pure)."""

from __future__ import annotations

from dataclasses import dataclass

_FIRST = 4
_GAIN = 1.15  # doubling that brings less than 15 % is not worth the server's trouble
_CEILING_SECONDS = 30.0
_PROBE_SECONDS = 20.0
_REFUSAL_SECONDS = 0.5


@dataclass(slots=True)
class Connections:
    """The number of connections wanted now: `target`. A `fixed` number is only lowered by refusals."""

    most: int
    fixed: bool
    target: int = 0
    ceiling: int | None = None
    ceiling_until: float = 0.0
    window_started: float = 0.0
    window_bytes: int = 0
    base_rate: float = 0.0
    base_target: int = 0
    growing: bool = True
    probe_at: float = 0.0
    refused_at: float = -1e9

    def __post_init__(self) -> None:
        self.target = self.most if self.fixed else min(_FIRST, self.most)

    def begin(self, now: float, bytes_done: int) -> None:
        """Start measuring; call it when all wanted connections are at work."""
        self.window_started, self.window_bytes = now, bytes_done

    def tick(self, now: float, bytes_done: int, *, active: int, window_seconds: float) -> None:
        """Look at the rate of the last window and decide anew."""
        if self.ceiling is not None and now >= self.ceiling_until:
            # One more at a time, to see whether the server has changed its mind.
            self.ceiling += 1
            self.ceiling_until = now + _CEILING_SECONDS
            if self.fixed:
                self.target = min(self.most, self.ceiling)
            if self.ceiling >= self.most:
                self.ceiling = None
        if self.fixed:
            return
        if active < self.target:
            self.begin(now, bytes_done)  # not all at work yet: such a window says nothing
            return
        elapsed = now - self.window_started
        if elapsed < window_seconds:
            return
        self._decide(now, (bytes_done - self.window_bytes) / elapsed)
        self.begin(now, bytes_done)

    def _decide(self, now: float, rate: float) -> None:
        most = self.most if self.ceiling is None else min(self.most, self.ceiling)
        if not self.growing:
            if now >= self.probe_at and self.target < most:
                self.growing = True
                self.base_rate = 0.0
            return
        if self.base_rate and rate < self.base_rate * _GAIN:
            self.target, self.growing, self.probe_at = max(1, self.base_target), False, now + _PROBE_SECONDS
            return
        self.base_rate, self.base_target = rate, self.target
        self.target = min(most, self.target * 2)
        if self.target == self.base_target:
            self.growing, self.probe_at = False, now + _PROBE_SECONDS

    def refused(self, now: float, *, working: int, retry_after: float | None) -> None:
        """The server refused a connection while `working` others were being served.

        When none was, it is the server that is busy, not we who are too many: the pause between tries sees to that.
        """
        if working == 0:
            return
        # Refused again with this few, one fewer; but connections that are refused together count once.
        allowed = min(working, self.target - 1) if now - self.refused_at > _REFUSAL_SECONDS else working
        self.refused_at = now
        self.ceiling = max(1, min(allowed, self.target))
        self.ceiling_until = now + max(_CEILING_SECONDS, retry_after or 0.0)
        self.target = min(self.target, self.ceiling)
        self.growing = False
        self.probe_at = self.ceiling_until


def fair_shares(wants: list[tuple[int, str, int]], *, total: int, per_host: int) -> dict[int, int]:
    """Share out connections: each (id, host, wanted) gets one in turn, in order of arrival, until a limit is met."""
    shares = {key: 0 for key, _, _ in wants}
    hosts: dict[str, int] = {}
    left, hungry = total, wants
    while left > 0 and hungry:
        still = []
        for key, host, wanted in hungry:
            if left <= 0:
                break
            if shares[key] >= wanted or hosts.get(host, 0) >= per_host:
                continue
            shares[key] += 1
            hosts[host] = hosts.get(host, 0) + 1
            left -= 1
            still.append((key, host, wanted))
        hungry = still
    return shares
