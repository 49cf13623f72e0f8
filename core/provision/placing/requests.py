"""What is refused at once, before it stands in the queue."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from ...config import Settings
from ...downloads.network import Networks
from ...errors import AccessError, ConnectFailedError, UsageError
from ...records.download import DownloadRequest
from ...records.session import Session
from ...records.source import Digest, HuggingFaceSource, LocalSource, UrlSource
from ...sessions import SessionRegistry
from .destination import check_suffix
from .places import FolderPlaces

_MAX_TEXT_LENGTH = 4096
_MOST_CONNECTIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCheck:
    """Judges requests by settings, layout, reference and egress gate."""

    networks: Networks
    sessions: SessionRegistry
    places: FolderPlaces

    async def __call__(self, request: DownloadRequest, session: Session | None) -> str:
        """Return the canonical source.

        Raises: AccessError, InvalidReferenceError, UnknownFolderError, InvalidNameError, ForbiddenTypeError,
        EgressError, UsageError.
        """
        network = self.networks.of(session)
        check_allowed(network.settings)
        _check_values(request)
        source = network.sources.parse(request.source)
        if isinstance(source, LocalSource):
            raise UsageError(
                "a file of this machine is not downloaded", hint="`comfystow organise` puts it in its place"
            )
        allow_pickle = network.settings.allow_pickle
        self.places.check(request, self.sessions.layout_for(session), allow_pickle=allow_pickle)
        if isinstance(source, HuggingFaceSource) and request.filename is None and "." in source.filename:
            check_suffix(source.filename, request.folder_name, allow_pickle=allow_pickle)
        if isinstance(source, UrlSource):
            with contextlib.suppress(ConnectFailedError):  # the name may resolve later: that is the queue's patience
                await network.gate.check(source.url)
        return str(source)


def check_allowed(settings: Settings) -> None:
    """Raises: AccessError: the owner of the installation has switched downloads off."""
    if settings.read_only or settings.no_downloads:
        variable = "COMFYSTOW_READ_ONLY" if settings.read_only else "COMFYSTOW_NO_DOWNLOADS"
        raise AccessError("downloads are switched off here", hint=f"the owner of this machine set {variable}")


def _check_values(request: DownloadRequest) -> None:
    for name in ("source", "folder_name", "subfolder", "filename", "sha256"):
        if len(getattr(request, name) or "") > _MAX_TEXT_LENGTH:
            raise UsageError(f"`{name}` is longer than {_MAX_TEXT_LENGTH} characters")
    if request.sha256 is not None:
        try:
            wanted = Digest.parse(request.sha256)
        except ValueError:
            wanted = None
        if wanted is None or wanted.algorithm != "sha256":
            raise UsageError(f"`{request.sha256[:80]}` is no SHA-256", hint="it has 64 hex digits")
    if request.connections is not None and not 1 <= request.connections <= _MOST_CONNECTIONS:
        raise UsageError(f"{request.connections} connections are not possible", hint=f"1 to {_MOST_CONNECTIONS}")
    if request.limit_rate_bytes_per_second is not None and request.limit_rate_bytes_per_second < 1:
        raise UsageError("the rate must be above 0", hint="leave it out for no limit")
