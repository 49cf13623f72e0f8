"""One run of one download, from its reference to its place. What an error makes of it is `outcome`'s business."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..config import Settings
from ..errors import ChecksumMismatchError, EgressError, IntegrityError, SourceError, TransferError
from ..net.credentials import Credentials
from ..records.download import Download, DownloadRequest, DownloadState
from ..records.model import FolderLayout
from ..records.session import Session
from ..records.source import Digest, DigestSource, ResolvedFile, StoreSource
from ..transfer.job import OnProgress, TransferJob, TransferResult
from .look import look_inside
from .network import Network, Networks
from .placement import Existing, Placement, Places
from .supply import Supply, Turn

_log = logging.getLogger("comfystow.downloads")

_THERE = "was there already"

Report = Callable[..., Download]
"""`report(state, **changes)` persists and announces, and returns the download as it is then."""


class DestinationBusyError(Exception):
    """Another download is bringing a file of that name: this one waits in the queue for its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Carries out downloads.

    `copies` tells where the same bytes are known to be; `owner` names this engine in the leases of parts.
    """

    networks: Networks
    places: Places
    supply: Supply
    copies: Callable[[ResolvedFile], list[Path]]
    session_of: Callable[[Download], Session | None]
    layout_of: Callable[[Session | None, str | None], FolderLayout]
    active: Callable[[Download], Iterable[Download]]
    owner: str

    async def run(self, download: Download, report: Report, on_progress: OnProgress) -> None:
        """Bring the file to its place.

        Raises: StowError; DestinationBusyError; asyncio.CancelledError: the part stays, the next run goes on from it.
        """
        session = self.session_of(download)
        with self.networks.used(session) as network:
            await self._run(download, session, network, report, on_progress)

    async def _run(
        self, download: Download, session: Session | None, network: Network, report: Report, on_progress: OnProgress
    ) -> None:
        credentials = self.networks.credentials(session)
        file = await resolve_request(download.request, network, credentials)
        warnings = download.warnings
        if download.dest_path is None and download.request.folder_name is None:
            looked = await look_inside(download.request, file, network, credentials)
            file, warnings = looked.file, looked.warnings
        placement = self._placement(download, file, self.layout_of(session, download.base_path), network.settings)
        download = report(
            DownloadState.RESOLVING,
            source=str(file.source),
            # The address of an object is signed, and as good as a password for as long as it works.
            url=str(file.source) if isinstance(file.source, StoreSource | DigestSource) else file.url,
            filename=placement.dest.name,
            folder_name=placement.folder_name,
            dest_path=str(placement.dest),
            part_dir=str(placement.part_dir) if placement.part_dir is not None else None,
            digest=file.digest,
            etag=file.etag,
            bytes_total=file.size_bytes,
            warnings=warnings,
            note="looking whether it is there already",  # a large file is compared as a whole
        )
        others = list(self.active(download))
        if any(other.dest_path == download.dest_path for other in others):
            raise DestinationBusyError
        existing = await self.places.existing(
            placement, file, self.copies(file), may_copy=network.settings.library_copy
        )
        if existing is None:
            await self.places.check_space(download, others, network.settings.free_space_floor_bytes)
            await self._fetch(download, file, placement, network, report, on_progress)
            return
        _report_existing(report, existing, file, _note_of(existing))

    def limit(self, download: Download, rate_bytes_per_second: int | None) -> None:
        """Change the bandwidth of a download that runs."""
        if download.dest_path is not None:
            self.networks.set_job_rate(Path(download.dest_path), rate_bytes_per_second)

    def _placement(self, download: Download, file: ResolvedFile, layout: FolderLayout, settings: Settings) -> Placement:
        """Choose the place once: a download keeps the one that its part lies at."""
        if download.dest_path is None or download.folder_name is None:
            return self.places.place(download.request, file, layout, allow_pickle=settings.allow_pickle)
        part_dir = Path(download.part_dir) if download.part_dir is not None else None
        return Placement(folder_name=download.folder_name, dest=Path(download.dest_path), part_dir=part_dir)

    async def _fetch(
        self,
        download: Download,
        file: ResolvedFile,
        placement: Placement,
        network: Network,
        report: Report,
        on_progress: OnProgress,
    ) -> None:
        """Fetch it; a store's copy that fails is doubted from then on, so that the next turn is its source's."""
        stored = False
        report(DownloadState.RUNNING, note=None)
        try:
            async with self.supply.turn(file, network, self._credentials(download)) as turn:
                stored = turn.stored
                there = await turn.put(placement)
                if there is not None:
                    report(DownloadState.PLACING)
                    _report_existing(report, there, file, "from the shared store")
                    return
                download = report(DownloadState.RUNNING)  # its limit may have changed in the meantime
                result = await self._transfer(download, turn, placement, network, on_progress)
                report(
                    DownloadState.PLACING,
                    digest=result.digest,
                    verified=result.verified,
                    bytes_done=result.size_bytes,
                    bytes_total=result.size_bytes,
                )
                await turn.keep(result.path)
        except (SourceError, TransferError, IntegrityError, EgressError) as err:
            if not stored:
                raise
            _log.warning("the shared store is passed by for `%s`: %s", file.filename, err.message)
            await self._fetch(download, file, placement, network, report, on_progress)
            return
        report(DownloadState.COMPLETED, note=_THERE if result.was_there else None)

    async def _transfer(
        self, download: Download, turn: Turn, placement: Placement, network: Network, on_progress: OnProgress
    ) -> TransferResult:
        async def renew() -> ResolvedFile:
            # The session may have brought another token since.
            return await resolve_request(download.request, network, self._credentials(download))

        return await network.transfers.fetch(
            TransferJob(
                file=turn.file,
                dest=placement.dest,
                owner=self.owner,
                part_dir=placement.part_dir,
                connections=download.request.connections,
                limit_rate_bytes_per_second=download.request.limit_rate_bytes_per_second,
            ),
            renew=turn.renew if turn.stored else renew,
            # The address of a stored copy is signed; a token beside it would make it refuse.
            credentials=None if turn.stored else self._credentials(download),
            on_progress=on_progress,
        )

    def _credentials(self, download: Download) -> Credentials:
        return self.networks.credentials(self.session_of(download))


def _note_of(existing: Existing) -> str:
    if existing.copied:
        return "copied from the same file in the library"
    return "linked to the same file in the library" if existing.linked else _THERE


def _report_existing(report: Report, existing: Existing, file: ResolvedFile, note: str) -> None:
    report(
        DownloadState.COMPLETED,
        digest=existing.digest or file.digest,
        verified=existing.verified,
        linked=existing.linked,
        bytes_done=existing.size_bytes,
        bytes_total=existing.size_bytes,
        note=note,
    )


async def resolve_request(request: DownloadRequest, network: Network, credentials: Credentials) -> ResolvedFile:
    """Find the file of a request, with the digest that the caller demands. Raises: StowError."""
    file = await network.sources.resolve(network.sources.parse(request.source), credentials)
    if request.sha256 is None:
        return file
    wanted = Digest.parse(request.sha256)
    if file.digest is not None and file.digest.algorithm == wanted.algorithm and file.digest != wanted:
        raise ChecksumMismatchError(
            f"`{file.filename}` at its source has {file.digest}, and {wanted} was asked for",
            hint="nothing was fetched; check the link, or leave the SHA-256 out",
        )
    return replace(file, digest=wanted)
