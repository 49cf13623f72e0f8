"""A download: what is fetched, where it goes, how far it is, and the one table of its states."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..errors import StowError
from .source import Digest


class DownloadState(StrEnum):
    """The states of a download; `MOVES` has the allowed changes."""

    QUEUED = "queued"
    RESOLVING = "resolving"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    VERIFYING = "verifying"
    PLACING = "placing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def active(self) -> bool:
        """True while a worker holds it."""
        return self in _ACTIVE

    @property
    def final(self) -> bool:
        """True when only the user can start it again."""
        return self in _FINAL


_S = DownloadState
_ACTIVE = frozenset({_S.RESOLVING, _S.RUNNING, _S.VERIFYING, _S.PLACING})
_FINAL = frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED})
_STOPS = frozenset({_S.PAUSED, _S.CANCELLED, _S.FAILED, _S.WAITING, _S.QUEUED})  # QUEUED: an engine was restarted

MOVES: dict[DownloadState, frozenset[DownloadState]] = {
    _S.QUEUED: frozenset({_S.RESOLVING, _S.PAUSED, _S.CANCELLED, _S.WAITING}),
    _S.RESOLVING: frozenset({_S.RUNNING, _S.PLACING, _S.COMPLETED}) | _STOPS,
    _S.RUNNING: frozenset({_S.VERIFYING, _S.PLACING, _S.RESOLVING}) | _STOPS,  # PLACING: proven with its last byte
    _S.VERIFYING: frozenset({_S.PLACING, _S.RUNNING, _S.RESOLVING}) | _STOPS,
    _S.PLACING: frozenset({_S.COMPLETED}) | _STOPS,
    _S.WAITING: frozenset({_S.QUEUED, _S.PAUSED, _S.CANCELLED, _S.FAILED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.COMPLETED: frozenset({_S.QUEUED}),  # asked for again after the file was removed
    _S.FAILED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.CANCELLED: frozenset({_S.QUEUED}),
}


class WaitingFor(StrEnum):
    """What a WAITING download waits for; it leaves by itself when the cause does."""

    TOKEN = "token"  # noqa: S105 - the name of a cause, no secret
    LICENCE = "licence"
    SPACE = "space"
    GENERATION = "generation"
    HOST = "host"


class Verified(StrEnum):
    """How far a finished file is proven; only `digest` may be called whole."""

    DIGEST = "digest"
    HEADER = "header"
    SIZE = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """An error as users and programs see it."""

    code: str
    message: str
    hint: str | None = None
    retryable: bool = False

    @classmethod
    def of(cls, error: StowError) -> ErrorInfo:
        """Describe an error of our tree."""
        return cls(code=error.code, message=error.message, hint=error.hint, retryable=error.retryable)


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A half-open range of bytes `[start, stop)`."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"not a segment: {self.start}-{self.stop}")

    @property
    def size_bytes(self) -> int:
        """The number of bytes in it."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRequest:
    """What a caller asks for; the engine finds the rest.

    `folder_name` None lets the source and the file's header decide; `filename` None takes the source's name.
    """

    source: str
    folder_name: str | None = None
    subfolder: str | None = None
    filename: str | None = None
    sha256: str | None = None
    connections: int | None = None
    limit_rate_bytes_per_second: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One row of the queue. Unknown is None; times are seconds since the epoch."""

    id: str
    request: DownloadRequest
    state: DownloadState
    source: str
    session_id: str | None = None
    base_path: str | None = None
    """Whose folders are meant, of several that share a state folder."""
    url: str | None = None
    filename: str | None = None
    folder_name: str | None = None
    dest_path: str | None = None
    part_dir: str | None = None
    digest: Digest | None = None
    etag: str | None = None
    bytes_done: int = 0
    bytes_total: int | None = None
    rate_bytes_per_second: float | None = None
    connections: int | None = None
    waiting_for: WaitingFor | None = None
    note: str | None = None
    error: ErrorInfo | None = None
    verified: Verified | None = None
    linked: bool = False
    attempts: int = 0
    position: float = 0.0
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    warnings: tuple[str, ...] = ()
    """What a person should know: a header that contradicts the folder, a folder that only the name tells."""
