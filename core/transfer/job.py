"""What callers of the engine hand in and get back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Settings
from ..records.download import DownloadState, Verified
from ..records.source import Digest, ResolvedFile
from ..units import MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLimits:
    """The numbers of the engine; the settings of the same names say what they mean."""

    connections_per_host: int = 32
    connections_total: int = 64
    connections_per_download: int | None = None
    limit_rate_bytes_per_second: int | None = None
    free_space_floor_bytes: int = 2_000_000_000
    connect_timeout_seconds: float = 15.0
    response_timeout_seconds: float = 60.0
    stall_timeout_seconds: float = 30.0
    retry_base_seconds: float = 0.5
    retry_max_seconds: float = 60.0
    retry_limit: int = 12
    journal_seconds: float = 5.0
    journal_bytes: int = 256 * MIB
    lease_timeout_seconds: float = 60.0
    lease_heartbeat_seconds: float = 10.0
    progress_seconds: float = 0.25
    idle_connection_seconds: float = 15.0
    """How long a connection is kept without work; servers close theirs after 60 s (nginx) to 5 s (Apache)."""
    tick_seconds: float = 0.1
    """Between two looks of a transfer at its connections."""
    xet: bool = False

    @classmethod
    def of(cls, settings: Settings) -> TransferLimits:
        """Take the numbers from the settings."""
        return cls(
            connections_per_host=settings.connections_per_host,
            connections_total=settings.connections_total,
            connections_per_download=settings.connections_per_download,
            limit_rate_bytes_per_second=settings.limit_rate_bytes_per_second,
            free_space_floor_bytes=settings.free_space_floor_bytes,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            response_timeout_seconds=settings.response_timeout_seconds,
            stall_timeout_seconds=settings.stall_timeout_seconds,
            retry_base_seconds=settings.retry_base_seconds,
            retry_max_seconds=settings.retry_max_seconds,
            retry_limit=settings.retry_limit,
            journal_seconds=settings.journal_seconds,
            journal_bytes=settings.journal_bytes,
            lease_timeout_seconds=settings.lease_timeout_seconds,
            lease_heartbeat_seconds=settings.lease_heartbeat_seconds,
            progress_seconds=settings.progress_seconds,
            xet=settings.xet,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferJob:
    """One file to bring: `part_dir` None keeps the part beside `dest`, `connections` None adapts.

    `owner` names the engine in the lease of the part; every engine that may share a volume needs its own.
    """

    file: ResolvedFile
    dest: Path
    owner: str
    part_dir: Path | None = None
    connections: int | None = None
    limit_rate_bytes_per_second: int | None = None

    @property
    def part_path(self) -> Path:
        """Where the bytes wait until they are proven."""
        return part_path(self.dest, self.part_dir)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProgress:
    """How far a transfer is; `note` is a word for people (`the file changed at its source: starting over`)."""

    phase: DownloadState
    bytes_done: int
    bytes_total: int | None
    rate_bytes_per_second: float | None
    connections: int
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferResult:
    """A file that is in its place. `digest` is always a SHA-256; `restarted` counts later starts from zero.

    `was_there`: it had its name before this run, and was recognised by its digest.
    """

    path: Path
    size_bytes: int
    digest: Digest
    verified: Verified
    bytes_fetched: int = 0
    restarted: int = 0
    was_there: bool = False


Renew = Callable[[], Awaitable[ResolvedFile]]
OnProgress = Callable[[TransferProgress], None]
Blocking = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a call in a thread; a cancellation waits for its end."""


def part_path(dest: Path, part_dir: Path | None = None) -> Path:
    """Return the path of the part of a destination."""
    return (part_dir or dest.parent) / f"{dest.name}.part"


def journal_path(part: Path) -> Path:
    """Return the path of the journal of a part."""
    return part.with_name(f"{part.name}.json")
