"""From wishes to a lock: each request resolved to one pinned file with its size and SHA-256."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...downloads.network import Networks
from ...downloads.worker import resolve_request
from ...errors import FolderUnknownError, ManifestError, StowError, UsageError
from ...net.secrets import scrub
from ...records.download import DownloadRequest, ErrorInfo
from ...records.model import FolderLayout
from ...records.session import Session
from ...records.source import LocalSource, ResolvedFile
from ...sessions import SessionRegistry
from ...sources.inspection import Inspection, inspect_remote
from ...workflow.lock import LockEntry, why_not_pinned, write_lock
from ..placing.places import FolderPlaces

_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlocked:
    """A request that cannot be pinned, and why."""

    source: str
    error: ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """The entries, and what could not be pinned; `text` is None then: a lock with a hole is none."""

    entries: tuple[LockEntry, ...]
    failed: tuple[Unlocked, ...]
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Locker:
    """Pins requests with what downloads are resolved with."""

    networks: Networks
    sessions: SessionRegistry
    places: FolderPlaces

    async def lock(self, requests: Sequence[DownloadRequest], session: Session | None) -> Locked:
        """Pin all. Raises: ManifestError: two different files want one place."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def pin(request: DownloadRequest) -> LockEntry | Unlocked:
            async with gate:
                try:
                    return await self._entry(request, session)
                except StowError as err:
                    return Unlocked(source=scrub(request.source), error=ErrorInfo.of(err))

        found = await asyncio.gather(*map(pin, requests))
        entries = tuple(row for row in found if isinstance(row, LockEntry))
        failed = tuple(row for row in found if isinstance(row, Unlocked))
        text = write_lock(entries)
        return Locked(entries=entries, failed=failed, text=None if failed else text)

    async def _entry(self, request: DownloadRequest, session: Session | None) -> LockEntry:
        network, credentials = self.networks.of(session), self.networks.credentials(session)
        if isinstance(network.sources.parse(request.source), LocalSource):
            raise UsageError("a file of this machine is the same on no other one", hint="lock a source instead")
        layout, allow_pickle = self.sessions.layout_for(session), network.settings.allow_pickle
        self.places.check(request, layout, allow_pickle=allow_pickle)
        file = await resolve_request(request, network, credentials)
        seen = await self._seen(file, session)
        if seen is not None and seen.folder is not None:
            file = replace(file, folder_hint=seen.folder)
        placement = self.places.place(request, file, layout, allow_pickle=allow_pickle)
        size = file.size_bytes if file.size_bytes is not None else seen.size_bytes if seen is not None else None
        if file.digest is None or file.digest.algorithm != "sha256":
            raise ManifestError(
                f"`{file.filename}`: its source tells no SHA-256, so nothing holds it to these bytes",
                hint="write `sha256:` beside it in the manifest",
            )
        if size is None:
            raise ManifestError(f"`{file.filename}`: its source does not tell its size", hint="choose another source")
        if (reason := why_not_pinned(str(file.source))) is not None:
            raise ManifestError(f"`{file.source}` is not pinned: {reason}", hint="its server is no full mirror")
        return LockEntry(
            source=str(file.source),
            folder_name=placement.folder_name,
            name=_relative(placement.dest, placement.folder_name, layout),
            size_bytes=size,
            sha256=file.digest.hex,
            kind=seen.kind if seen is not None else None,
            base_model=(seen.base_model if seen is not None else None) or file.base_model_hint,
        )

    async def _seen(self, file: ResolvedFile, session: Session | None) -> Inspection | None:
        """Look into the file's header where it has one; a lock is not held up by one that cannot be read."""
        try:
            return await inspect_remote(
                self.networks.of(session).client, str(file.source), file, self.networks.credentials(session)
            )
        except StowError:
            return None


def _relative(dest: Path, folder_name: str, layout: FolderLayout) -> str:
    root = layout.destination(folder_name)
    if root is None:
        raise FolderUnknownError(f"there is no folder `{folder_name}`")
    return dest.relative_to(root).as_posix()
