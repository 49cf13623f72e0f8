"""Parts of downloads that nobody goes on with: no download of the queue is theirs, and no engine holds them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...library.changes.ground import HIDDEN_FOLDER
from ...records.download import Download
from ...records.library import LibraryRoot
from ...transfer.job import journal_path, part_path
from ...transfer.part.journal import decode

_BLOCK_BYTES = 512  # of `st_blocks` (stat(2))
_MAX_JOURNAL_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanPart:
    """One part; `size_bytes` is what it takes on disk, `source` what its journal says."""

    path: Path
    name: str
    folder_name: str
    size_bytes: int
    modified_at: float
    source: str | None


def find_orphan_parts(
    roots: Iterable[LibraryRoot],
    seen: Mapping[bytes, Iterable[bytes]],
    downloads: Iterable[Download],
    *,
    lease_seconds: float,
) -> list[OrphanPart]:
    """Return the parts among those that the last scan has `seen`, and in the folders for parts beside the roots.

    Reads their journals: call it in a thread.
    """
    wanted = {
        part_path(Path(row.dest_path), Path(row.part_dir) if row.part_dir is not None else None)
        for row in downloads
        if row.dest_path is not None and not (row.state.final and row.state.value != "failed")
    }
    wanted = {_real(path) for path in wanted}
    found: dict[Path, OrphanPart] = {}
    for root in roots:
        for path in _parts(root, seen.get(os.fsencode(root.path), ())):
            if _real(path) not in wanted and (part := _orphan(path, root, lease_seconds)) is not None:
                found.setdefault(_real(path), part)
    return sorted(found.values(), key=lambda part: -part.size_bytes)


def _parts(root: LibraryRoot, seen: Iterable[bytes]) -> Iterator[Path]:
    for relative in seen:
        if relative.endswith(b".part"):
            yield root.path / os.fsdecode(relative)
    for folder in (root.path, *root.path.parents):
        below = folder / HIDDEN_FOLDER / root.path.name
        if below.is_dir():
            yield from below.rglob("*.part")


def _orphan(path: Path, root: LibraryRoot, lease_seconds: float) -> OrphanPart | None:
    try:
        status = path.stat()
    except OSError:
        return None
    source = None
    try:
        with journal_path(path).open("rb") as journal:
            record = decode(journal.read(_MAX_JOURNAL_BYTES))
    except OSError:
        record = None
    if record is not None:
        source, beat = record[0].source, record[0].lease.heartbeat_at
        if beat is not None and abs(time.time() - beat) <= lease_seconds:
            return None  # another machine's engine is at it
    taken = getattr(status, "st_blocks", None)
    return OrphanPart(
        path=path,
        name=path.name,
        folder_name=root.folder_names[0],
        size_bytes=taken * _BLOCK_BYTES if taken is not None else status.st_size,
        modified_at=status.st_mtime,
        source=source,
    )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path.parent)) / path.name
