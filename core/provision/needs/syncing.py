"""Does the library hold exactly what a lock says? What is missing, what is another file, what is too much."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ...errors import NameTakenError
from ...paths import MODEL_SUFFIXES, NON_MODEL_FOLDERS, PICKLE_SUFFIXES
from ...records.model import FolderLayout, ModelRef
from ...workflow.lock import LockEntry
from ...workflow.status import LayoutInventory
from .digests import FileDigests

_AT_ONCE = 2


class Held(StrEnum):
    """How one entry stands; `other` means that different bytes have its name."""

    HELD = "held"
    MISSING = "missing"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEntry:
    """One entry of the lock, and the file that a loader would open for it."""

    entry: LockEntry
    state: Held
    path: Path | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A model file that the lock does not name."""

    folder_name: str
    name: str
    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """The library against a lock. What is too much makes it out of sync only for who wants to prune."""

    entries: tuple[HeldEntry, ...]
    extra: tuple[Extra, ...]

    @property
    def missing(self) -> tuple[LockEntry, ...]:
        """What is to be fetched."""
        return tuple(row.entry for row in self.entries if row.state is Held.MISSING)

    @property
    def other(self) -> tuple[HeldEntry, ...]:
        """What stands in the way: nothing is overwritten."""
        return tuple(row for row in self.entries if row.state is Held.OTHER)

    @property
    def held(self) -> bool:
        """True when every entry is there with its own bytes."""
        return all(row.state is Held.HELD for row in self.entries)


async def compare(
    entries: Sequence[LockEntry], layout: FolderLayout, digests: FileDigests, *, sizes_only: bool = False
) -> SyncState:
    """Compare by size first, then by SHA-256 of the whole file, unless `sizes_only`."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def look(entry: LockEntry) -> HeldEntry:
        path = await asyncio.to_thread(layout.find, ModelRef(entry.folder_name, entry.name))
        if path is None:
            return HeldEntry(entry=entry, state=Held.MISSING)
        try:
            size = (await asyncio.to_thread(path.stat)).st_size
            if size != entry.size_bytes:
                reason = f"it has {size:,} bytes instead of {entry.size_bytes:,}"
                return HeldEntry(entry=entry, state=Held.OTHER, path=path, reason=reason)
            if not sizes_only:
                async with gate:
                    found = await digests.of(path)
                if found != entry.sha256:
                    reason = f"its SHA-256 begins with {found[:12]} instead of {entry.sha256[:12]}"
                    return HeldEntry(entry=entry, state=Held.OTHER, path=path, reason=reason)
        except OSError as err:
            reason = f"it cannot be read: {err.strerror or err}"
            return HeldEntry(entry=entry, state=Held.OTHER, path=path, reason=reason)
        return HeldEntry(entry=entry, state=Held.HELD, path=path)

    found = await asyncio.gather(*map(look, entries))
    extra = await asyncio.to_thread(_extra, layout, [row.path for row in found if row.path is not None])
    return SyncState(entries=tuple(found), extra=tuple(extra))


def other_error(row: HeldEntry) -> NameTakenError:
    """Return what is said of a file whose bytes are not the lock's."""
    return NameTakenError(
        f"`{row.entry.folder_name}/{row.entry.name}` is another file: {row.reason}",
        hint="nothing is overwritten; move it away or remove it, and sync again",
    )


def _extra(layout: FolderLayout, kept: Iterable[Path]) -> list[Extra]:
    """List the model files that are not kept, each once, however many names and folders lead to it."""
    seen = {_identity(path) for path in kept}
    inventory = LayoutInventory(layout)
    found = []
    for folder in sorted(set(inventory.folder_names()) - NON_MODEL_FOLDERS):
        for name in sorted(inventory.names(folder)):
            path = inventory.find(folder, name)
            if path is None or path.suffix.lower() not in MODEL_SUFFIXES | PICKLE_SUFFIXES:
                continue
            identity = _identity(path)
            if identity in seen:
                continue
            seen.add(identity)
            size = _size(path)
            if size is not None:
                found.append(Extra(folder_name=folder, name=name, path=path, size_bytes=size))
    return found


def _identity(path: Path) -> str:
    """A file by its real place: two links to one inode are two names, and each may be kept for itself."""
    return os.path.realpath(path)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
