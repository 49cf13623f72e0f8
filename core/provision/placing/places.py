"""The folders of models as the queue sees them (`downloads.placement.Places`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from ...downloads.placement import Existing, Placement
from ...errors import StorageError
from ...records.download import Download, DownloadRequest
from ...records.model import FolderLayout
from ...records.source import ResolvedFile
from ...transfer.job import part_path
from ...transfer.part.abandon import abandon_part
from .destination import check_request, find_placement
from .present import find_existing
from .space import check_space, shortage_bytes


class FolderPlaces:
    """Decides by the layout and looks at the disk, in threads."""

    def __init__(self, lease_seconds: float) -> None:
        """`lease_seconds`: age of a heartbeat after which another engine has left its part."""
        self._lease_seconds = lease_seconds

    def check(self, request: DownloadRequest, layout: FolderLayout, *, allow_pickle: bool) -> None:
        """Refuse what can be refused unseen. Raises: UsageError and its kinds."""
        check_request(request, layout, allow_pickle=allow_pickle)

    def place(
        self, request: DownloadRequest, file: ResolvedFile, layout: FolderLayout, *, allow_pickle: bool
    ) -> Placement:
        """Choose folder and name. Raises: UsageError and its kinds."""
        return find_placement(request, file, layout, allow_pickle=allow_pickle)

    async def existing(
        self, placement: Placement, file: ResolvedFile, copies: Sequence[Path], *, may_copy: bool
    ) -> Existing | None:
        """Return the same file if it is there, or link it; a cancelled look stops reading. Raises: NameTakenError."""
        left, dest = threading.Event(), placement.dest
        part = part_path(dest, placement.part_dir)
        spare = part.with_name(f"{part.name}.{os.getpid()}")  # not the part itself, which a transfer may go on with
        find = partial(find_existing, dest, file, copies, left.is_set, spare=spare, may_copy=may_copy)
        try:
            return await asyncio.to_thread(find)
        except OSError as err:
            raise StorageError(f"cannot read `{dest.name}`: {err.strerror or err}", hint="look at the disk") from err
        finally:
            left.set()

    async def check_space(self, download: Download, others: Iterable[Download], floor_bytes: int) -> None:
        """Refuse what does not fit beside the rest of `others` and the floor. Raises: NotEnoughSpaceError."""
        try:
            await asyncio.to_thread(check_space, download, list(others), floor_bytes)
        except OSError as err:
            raise StorageError(
                f"the folder `{download.folder_name}` cannot be read: {err.strerror or err}", hint="is it mounted?"
            ) from err

    async def fits(self, download: Download, others: Iterable[Download], floor_bytes: int) -> bool:
        """Tell the same without an error."""
        with contextlib.suppress(OSError):
            return await asyncio.to_thread(shortage_bytes, download, list(others), floor_bytes) == 0
        return False

    async def discard(self, download: Download) -> None:
        """Remove what a cancelled download left; a part that another engine of the volume works on stays."""
        if download.dest_path is None:
            return
        part_dir = Path(download.part_dir) if download.part_dir is not None else None
        with contextlib.suppress(OSError):
            await asyncio.to_thread(abandon_part, Path(download.dest_path), part_dir, self._lease_seconds)
