"""Who looks at the machine, how often, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

#: Faster than this nobody samples: the driver's own utilisation is a mean over up to a second (nvml.h).
MIN_INTERVAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Lease:
    """Somebody looks: until when (monotonic seconds), and how often they want a sample."""

    holder: str
    until: float
    interval_seconds: float


class Leases:
    """The leases that last; not guarded, the sampler holds its lock."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}

    def take(self, holder: str, until: float, interval_seconds: float) -> None:
        """Give a lease; the same holder again renews or changes its own."""
        self._leases[holder] = Lease(holder, until, max(MIN_INTERVAL_SECONDS, interval_seconds))

    def release(self, holder: str) -> None:
        """End a lease before its time."""
        self._leases.pop(holder, None)

    def clear(self) -> None:
        """End all."""
        self._leases.clear()

    def expire(self, now: float) -> bool:
        """Forget those that have run out; true while any lasts."""
        self._leases = {name: lease for name, lease in self._leases.items() if lease.until > now}
        return bool(self._leases)

    @property
    def interval_seconds(self) -> float:
        """The shortest that somebody wants; only while there is one."""
        return min(lease.interval_seconds for lease in self._leases.values())

    @property
    def last_until(self) -> float:
        """When the last one runs out; only while there is one."""
        return max(lease.until for lease in self._leases.values())

    @property
    def holders(self) -> tuple[str, ...]:
        """Who looks."""
        return tuple(self._leases)
