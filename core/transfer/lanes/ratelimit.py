"""Bandwidth limits: a bucket of bytes that fills at the allowed rate (pure but for the clock that callers pass)."""

from __future__ import annotations

_BURST_SECONDS = 0.1
_LEAST_BURST_BYTES = 16 << 10
_CHUNK_SECONDS = 0.02
_LEAST_CHUNK_BYTES = 4 << 10


class Bucket:
    """Tells how long to wait after bytes have been taken. Rate None lets everything pass."""

    __slots__ = ("_level", "_rate", "_when")

    def __init__(self, rate_bytes_per_second: int | None = None) -> None:
        self._rate = rate_bytes_per_second
        self._level = 0.0
        self._when = 0.0

    @property
    def limited(self) -> bool:
        """True when there is a limit."""
        return self._rate is not None

    @property
    def chunk_bytes(self) -> int | None:
        """How much to read at once, so that the limit holds for small files too; None without a limit."""
        return None if self._rate is None else max(_LEAST_CHUNK_BYTES, int(self._rate * _CHUNK_SECONDS))

    def set_rate(self, rate_bytes_per_second: int | None) -> None:
        """Change the limit; it counts from the next bytes on."""
        self._rate = rate_bytes_per_second
        self._level = min(self._level, 0.0)

    def take(self, count: int, now: float) -> float:
        """Take bytes that have arrived; return for how many seconds no more should be read."""
        if self._rate is None:
            return 0.0
        burst = max(_LEAST_BURST_BYTES, self._rate * _BURST_SECONDS)
        self._level = min(burst, self._level + (now - self._when) * self._rate) - count
        self._when = now
        return max(0.0, -self._level / self._rate)
