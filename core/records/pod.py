"""A pod: its services, how its start went, and what the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ServiceState(StrEnum):
    """Where a service of a pod stands; `reason` of its status says why."""

    OFF = "off"
    """It cannot or shall not run here."""
    WAITING = "waiting"
    """For a service that it needs, or for models that must be there first."""
    STARTING = "starting"
    """Its process lives and does not answer yet."""
    READY = "ready"
    """It answers exactly as it should."""
    UNHEALTHY = "unhealthy"
    """Its process lives and does not answer as it should, after it did."""
    BACKOFF = "backoff"
    """It ended, and is started again soon."""
    CRASH_LOOP = "crash_loop"
    """It ended too often; it is tried again rarely, or when somebody asks."""
    STOPPING = "stopping"
    """It was asked to end."""
    STOPPED = "stopped"
    """Somebody stopped it."""

    @property
    def wanted(self) -> bool:
        """True where the service should answer, or will."""
        return self not in {ServiceState.OFF, ServiceState.STOPPING, ServiceState.STOPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service now. Times are seconds since the epoch; `url` is how a browser reaches it, where it can."""

    name: str
    title: str
    state: ServiceState
    reason: str | None = None
    pid: int | None = None
    port: int | None = None
    url: str | None = None
    started_at: float | None = None
    startup_seconds: float | None = None
    response_seconds: float | None = None
    restarts: int = 0
    last_exit: str | None = None
    next_start_at: float | None = None


class BootState(StrEnum):
    """What a line of the boot report says of its matter."""

    OK = "ok"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class BootLine:
    """One line of the boot report: a matter, what became of it, and how long that took."""

    state: BootState
    what: str
    detail: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """What `pod up` tells the engine (`POST /pod/state`), on each change and now and then."""

    provider: str
    pod_id: str | None = None
    started_at: float
    settled: bool = False
    """True when everything that was to start has started or failed."""
    services: tuple[ServiceStatus, ...] = ()
    boot: tuple[BootLine, ...] = ()


class FindingState(StrEnum):
    """How a check of the doctor came out."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check of the doctor found, and what to do about it."""

    check: str
    state: FindingState
    what: str
    what_to_do: str | None = None
