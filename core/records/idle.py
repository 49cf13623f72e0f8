"""A machine that costs money by the hour: what it is, who uses it, and what became of stopping it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class IdleMode(StrEnum):
    """What happens to a machine on which nothing is done any more."""

    OFF = "off"
    NOTIFY = "notify"
    STOP = "stop"
    TERMINATE = "terminate"


class IdleState(StrEnum):
    """Where the idle policy stands."""

    OFF = "off"
    STARTING = "starting"
    """Not armed: the machine has not come up once yet."""
    WATCHING = "watching"
    GRACE = "grace"
    """It is stopped soon, unless somebody does something."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    """The provider refused or did not carry it out; it is tried again."""


class Activity(StrEnum):
    """What one signal says; unknown counts as active."""

    ACTIVE = "active"
    IDLE = "idle"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One sign of life, in words that complete the name: `downloads`: "2 on their way"."""

    name: str
    activity: Activity
    words: str


class Survives(StrEnum):
    """What of the data is there after an end of the machine."""

    TERMINATION = "termination"
    """A network volume: it outlives the machine."""
    STOP = "stop"
    """A volume of the machine's own: gone when the machine is terminated."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A rented machine as its provider describes it; unknown is None.

    `cost_per_hour` is in US dollars, `started_at` in seconds since the epoch; `note` says what could not be found out.
    """

    provider: str
    id: str | None = None
    status: str | None = None
    running: bool | None = None
    cost_per_hour: float | None = None
    region: str | None = None
    gpu: str | None = None
    locked: bool | None = None
    survives: Survives | None = None
    started_at: float | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call that was to stop the machine: by which way, when (epoch), and what came of it.

    `status` is the HTTP status or the exit code, None where there was no answer.
    """

    way: str
    at: float
    seconds: float
    status: int | None
    done: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopResult:
    """What became of stopping the machine; `action` is what was really asked for."""

    done: bool
    action: str
    words: str
    attempts: tuple[Attempt, ...] = ()
    hint: str | None = None
    abandoned: bool = False
    """True where it was not wanted any more while it was being tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAliveRequest:
    """The body of `POST /idle/keep-alive`: for how long the machine stays up, whatever is done on it; 0 ends that."""

    seconds: float
