"""What the queue asks of the layers above it: where a file goes, whether it is there already, whether it fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..records.download import Download, DownloadRequest, Verified
from ..records.model import FolderLayout
from ..records.source import Digest, ResolvedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The final name of a file. `part_dir` is set where ComfyUI would list a part beside it."""

    folder_name: str
    dest: Path
    part_dir: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A file that is in its place without a transfer.

    `linked` when it shares its bytes with another name since just now, `copied` when it was copied from this machine.
    """

    size_bytes: int
    digest: Digest | None
    verified: Verified
    linked: bool
    copied: bool = False


class Places(Protocol):
    """`provision.places`; a protocol because the layers forbid the import, not because there is a second one."""

    def check(self, request: DownloadRequest, layout: FolderLayout, *, allow_pickle: bool) -> None:
        """Refuse what can be refused unseen. Raises: UsageError and its kinds."""

    def place(
        self, request: DownloadRequest, file: ResolvedFile, layout: FolderLayout, *, allow_pickle: bool
    ) -> Placement:
        """Choose folder and name. Raises: UsageError and its kinds."""

    async def existing(
        self, placement: Placement, file: ResolvedFile, copies: Sequence[Path], *, may_copy: bool
    ) -> Existing | None:
        """Return the same file if it is there, or link it to one of `copies`; None when it must be fetched.

        `may_copy` lets it be copied where links are not possible.
        Raises: NameTakenError: another content has the name.
        """

    async def check_space(self, download: Download, others: Iterable[Download], floor_bytes: int) -> None:
        """Refuse what does not fit beside the rest of `others` and the floor. Raises: NotEnoughSpaceError."""

    async def fits(self, download: Download, others: Iterable[Download], floor_bytes: int) -> bool:
        """Tell the same without an error."""

    async def discard(self, download: Download) -> None:
        """Remove what a cancelled download left."""
