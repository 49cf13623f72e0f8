"""One download from QUEUED to its end: resolve, place, link or fetch, publish.

The worker decides nothing about the queue. It reports through `Progress`, and ends by returning or raising; what
an error means for the download's state is `outcome`'s business.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import StowError
from ..net.credentials import Credentials
from ..records.download import Download, DownloadState, Verified
from ..records.source import Digest, ResolvedFile, Source
from ..transfer.job import OnProgress, Renew, TransferJob, TransferProgress, TransferResult

_log = logging.getLogger("comfystow.downloads")

#: Tries to resolve a source; the bytes themselves have `retry_limit` of the settings.
_RESOLVE_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a file goes."""

    folder_name: str
    path: Path
    part_dir: Path | None


class Provisioner(Protocol):
    """What the queue needs of the layers above it; `core/runtime.py` joins them."""

    def find_place(self, download: Download, file: ResolvedFile) -> Place:
        """Return the place of a resolved file. Raises: StowError."""

    async def find_present(self, place: Place, file: ResolvedFile) -> Digest | None:
        """Compare what has the final name already (in a thread). Raises: NameTakenError."""

    async def link(self, place: Place, file: ResolvedFile) -> bool:
        """Link the file from elsewhere in the library, when it is there."""

    def credentials_of(self, download: Download) -> Credentials:
        """Return the tokens that the download's caller may use."""


class Resolver(Protocol):
    """Finds what a source means (`core.sources.resolve.Sources`)."""

    def parse(self, text: str) -> Source:
        """Read a reference."""

    async def resolve(self, source: Source, credentials: Credentials | None = None) -> ResolvedFile:
        """Find the one file."""


class Fetcher(Protocol):
    """Brings bytes (`core.transfer.engine.TransferEngine`)."""

    async def fetch(
        self, job: TransferJob, *, renew: Renew, credentials: Credentials, on_progress: OnProgress
    ) -> TransferResult:
        """Fetch one file; cancelling keeps the part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The numbers of retries while a source is resolved."""

    base_seconds: float
    max_seconds: float
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def pause(self, attempt: int, error: StowError) -> None:
        """Wait before the next try: as long as the server says, else doubling with jitter."""
        seconds = min(self.max_seconds, self.base_seconds * 2**attempt) * random.uniform(0.5, 1.0)
        await self.sleep(max(seconds, min(error.retry_after_seconds or 0.0, self.max_seconds)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Carries out one download. `report(state, **changes)` persists and announces."""

    resolver: Resolver
    provisioner: Provisioner
    fetcher: Fetcher
    backoff: Backoff
    owner: str

    async def run(self, download: Download, report: Callable[..., Download], on_progress: OnProgress) -> None:
        """Bring the file to its place. Raises: StowError, asyncio.CancelledError (the part stays)."""
        source = self.resolver.parse(download.request.source)
        report(DownloadState.RESOLVING, error=None, note=None)
        file = await self._resolve(source, download, report)
        place = self.provisioner.find_place(download, file)
        download = report(
            DownloadState.RESOLVING,
            source=str(file.source),
            url=file.url,
            filename=place.path.name,
            folder_name=place.folder_name,
            dest_path=str(place.path),
            digest=file.digest,
            etag=file.etag,
            bytes_total=file.size_bytes,
        )
        if place.path.exists():
            await self._take_present(place, file, report)
        elif await self.provisioner.link(place, file):
            report(DownloadState.PLACING, linked=True, verified=Verified.DIGEST, bytes_done=file.size_bytes or 0)
        else:
            await self._fetch(source, download, place, file, report, on_progress)
        report(DownloadState.COMPLETED, rate_bytes_per_second=None, connections=None, note=None)

    async def _resolve(self, source: Source, download: Download, report: Callable[..., Download]) -> ResolvedFile:
        for attempt in range(_RESOLVE_ATTEMPTS):
            try:
                file = await self.resolver.resolve(source, self.provisioner.credentials_of(download))
            except StowError as err:
                if not err.retryable or attempt == _RESOLVE_ATTEMPTS - 1:
                    raise
                report(DownloadState.RESOLVING, note=f"{err.message}; trying again")
                await self.backoff.pause(attempt, err)
            else:
                return _with_wanted_digest(file, download)
        raise AssertionError("the loop returns or raises")

    async def _take_present(self, place: Place, file: ResolvedFile, report: Callable[..., Download]) -> None:
        report(DownloadState.VERIFYING, note="comparing with the file that is there")
        digest = await self.provisioner.find_present(place, file)
        size = place.path.stat().st_size
        report(
            DownloadState.PLACING,
            digest=digest or file.digest,
            verified=Verified.DIGEST if digest is not None else Verified.SIZE,
            linked=True,
            bytes_done=size,
            bytes_total=size,
        )

    async def _fetch(
        self,
        source: Source,
        download: Download,
        place: Place,
        file: ResolvedFile,
        report: Callable[..., Download],
        on_progress: OnProgress,
    ) -> None:
        async def renew() -> ResolvedFile:
            return _with_wanted_digest(
                await self.resolver.resolve(source, self.provisioner.credentials_of(download)), download
            )

        job = TransferJob(
            file=file,
            dest=place.path,
            owner=self.owner,
            part_dir=place.part_dir,
            connections=download.request.connections,
            limit_rate_bytes_per_second=download.request.limit_rate_bytes_per_second,
        )
        report(DownloadState.RUNNING)
        credentials = self.provisioner.credentials_of(download)
        result = await self.fetcher.fetch(job, renew=renew, credentials=credentials, on_progress=on_progress)
        report(
            DownloadState.PLACING,
            digest=result.digest,
            verified=result.verified,
            bytes_done=result.size_bytes,
            bytes_total=result.size_bytes,
        )


def _with_wanted_digest(file: ResolvedFile, download: Download) -> ResolvedFile:
    """Put the digest that the caller demands in place of what the source says: it must match in any case."""
    from dataclasses import replace

    wanted = download.request.sha256
    return file if wanted is None else replace(file, digest=Digest.parse(wanted))


__all__ = ["Backoff", "Fetcher", "Place", "Provisioner", "Resolver", "TransferProgress", "Worker"]
