"""Reading whole files: why, how far it is, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """Why a file is read from end to end."""

    HASH = "hash"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadProgress:
    """How far the reading is. `held` while ComfyUI generates and reading is to wait for it."""

    purpose: Purpose
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReport:
    """What was read of what was asked for; `unread` could not be, or changed meanwhile; ids of files."""

    files: int = 0
    bytes: int = 0
    damaged: tuple[int, ...] = ()
    unread: tuple[int, ...] = ()
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a check of the library found: all headers against lengths, then the bytes of files with known digests."""

    headers: int = 0
    read: int = 0
    read_bytes: int = 0
    damaged: tuple[int, ...] = ()
    unread: tuple[int, ...] = ()
    cancelled: bool = False
    seconds: float = 0.0
    finished_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyReport:
    """How many files have learnt their source.

    `asked` have a digest and were looked up, `hashed` were read for it; `failed` says who did not answer.
    """

    asked: int = 0
    identified: int = 0
    unknown: int = 0
    hashed: int = 0
    failed: tuple[str, ...] = ()
    cancelled: bool = False
    seconds: float = 0.0
    finished_at: float = 0.0
