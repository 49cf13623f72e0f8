"""Files at rest: the roots of the library, its files as the index knows them, and what a scan found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from .download import Verified
from .source import Digest


class DigestOrigin(StrEnum):
    """How a digest is known: the bytes arrived through us and were hashed on the way, or were read for it here."""

    DOWNLOAD = "download"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryRoot:
    """One directory that loaders look in, by its real path; several folder names may share it.

    `available` is false while its volume is away: what is known of its files is kept. `listed` is false where no
    layout names it any more.
    """

    id: int
    path: Path
    folder_names: tuple[str, ...]
    available: bool = True
    listed: bool = True
    device: int | None = None
    scanned_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFile:
    """One name of a model file. Unknown is None; times are seconds since the epoch.

    `relative_path` has `/` between parts and may hold surrogates for bytes that are no text. `device` and `inode` tell
    hard links apart within one scan and change when a volume is mounted again.
    """

    id: int
    root_id: int
    root: Path
    relative_path: str
    folder_name: str
    """ComfyUI's folder in which it lies."""
    size_bytes: int
    mtime_ns: int
    device: int = 0
    inode: int = 0
    links: int = 1
    symlink: bool = False
    available: bool = True
    format: str | None = None
    kind: str | None = None
    belongs_in: str | None = None
    """The folder that its kind belongs in, None where its header does not decide."""
    alternatives: tuple[str, ...] = ()
    """Folders between which only a person can choose."""
    confidence: str | None = None
    """How sure kind and base model are: `high`, `likely` or `guess`."""
    base_model: str | None = None
    base_model_version: str | None = None
    precision: str | None = None
    parameters: int | None = None
    vram_bytes: int | None = None
    trigger_words: tuple[str, ...] = ()
    sha256: str | None = None
    autov1: str | None = None
    autov3: str | None = None
    blake3: str | None = None
    digest_origin: DigestOrigin | None = None
    source: str | None = None
    """Where the same bytes can be had again."""
    verified: Verified | None = None
    """`digest`: equal to what its source states; `header`: as long as its header says."""
    damaged: str | None = None
    """What is wrong with it, in words."""
    added_at: float = 0.0
    last_used_at: float | None = None

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.root / self.relative_path

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.relative_path.rpartition("/")[2]

    @property
    def digest(self) -> Digest | None:
        """Its SHA-256."""
        return Digest("sha256", self.sha256) if self.sha256 is not None else None

    @property
    def autov2(self) -> str | None:
        """Civitai's AutoV2: the first ten digits of the SHA-256."""
        return self.sha256[:10] if self.sha256 is not None else None


class LibrarySort(StrEnum):
    """What a list is sorted by; equal ones by name."""

    NAME = "name"
    SIZE = "size"
    ADDED = "added"
    USED = "used"
    KIND = "kind"
    BASE = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFilter:
    """Which files; None and false filter nothing. Every word of `text` must be in the relative path."""

    text: str = ""
    folder: str | None = None
    kind: str | None = None
    base_model: str | None = None
    root_id: int | None = None
    damaged: bool = False
    duplicates: bool = False
    unidentified: bool = False
    missing_digest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryPage:
    """A part of a list, and how many there are in all."""

    files: tuple[LibraryFile, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryTotals:
    """All files together; hard links count once in the bytes. One copy of each would free `duplicates_bytes`."""

    files: int = 0
    bytes: int = 0
    damaged: int = 0
    duplicates_bytes: int = 0
    unidentified: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Files that one value has in common; `value` None is unknown. The bytes of hard links count once."""

    value: str | None
    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanProblem:
    """Something that a scan met and passed by; `code` is for programs.

    Codes: `unreadable`, `dangling`, `elsewhere` (a link to what is scanned under another name), `being_written`,
    `bad_name`, `case_twin`, `unavailable`, `vanished`.
    """

    code: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """What one scan did. `folders` are those whose files came, went or changed; `pending` files are being written."""

    files: int = 0
    added: int = 0
    changed: int = 0
    moved: int = 0
    gone: int = 0
    damaged: int = 0
    pending: int = 0
    seconds: float = 0.0
    finished_at: float = 0.0
    folders: tuple[str, ...] = ()
    problems: tuple[ScanProblem, ...] = field(default=(), repr=False)
