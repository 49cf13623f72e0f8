"""Does it fit? Everything under way on the same volume counts, with the floor that stays free."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ...errors import NotEnoughSpaceError
from ...records.download import Download
from ...transfer.job import part_path
from ...units import format_bytes


def missing_bytes(download: Download) -> int:
    """Return what a download will still take from the disk; a part that has its blocks already takes no more."""
    if download.bytes_total is None or download.dest_path is None:
        return 0
    part = part_path(Path(download.dest_path), Path(download.part_dir) if download.part_dir is not None else None)
    try:
        taken = getattr(part.stat(), "st_blocks", 0) * 512
    except OSError:
        taken = 0
    return max(0, download.bytes_total - taken)


def shortage_bytes(download: Download, others: Iterable[Download], floor_bytes: int) -> int:
    """Return how much is missing on the destination's volume, 0 when it fits. Looks at disks: call it in a thread."""
    if download.dest_path is None:
        return 0
    folder = existing_folder(Path(download.dest_path).parent)
    device = folder.stat().st_dev
    needed = missing_bytes(download)
    if needed == 0:
        return 0
    for other in others:
        if other.dest_path is not None and existing_folder(Path(other.dest_path).parent).stat().st_dev == device:
            needed += missing_bytes(other)
    return max(0, needed + floor_bytes - shutil.disk_usage(folder).free)


def check_space(download: Download, others: Iterable[Download], floor_bytes: int) -> None:
    """Refuse what does not fit. Raises: NotEnoughSpaceError."""
    shortage = shortage_bytes(download, others, floor_bytes)
    if shortage == 0 or download.dest_path is None:
        return
    folder = existing_folder(Path(download.dest_path).parent)
    raise NotEnoughSpaceError(
        f"`{download.filename}` needs {format_bytes(missing_bytes(download))}, and its volume has "
        f"{format_bytes(shutil.disk_usage(folder).free)} free, of which {format_bytes(floor_bytes)} stay free "
        "(and what else is under way takes its share)",
        hint=f"free {format_bytes(shortage)}, then it goes on by itself; or choose a folder on another volume",
    )


def existing_folder(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), folder)
