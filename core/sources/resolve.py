"""From a `Source` to the one file it means, whichever place it comes from."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from ..config import Settings
from ..errors import NotFoundError, StowError
from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..net.hosts import origin_of
from ..paths import safe_component
from ..records.source import (
    CivitaiSource,
    Digest,
    DigestSource,
    HuggingFaceSource,
    LocalSource,
    ResolvedFile,
    Source,
    StoreSource,
    UrlSource,
)
from ..records.workflow import Candidate
from .civitai import Civitai
from .direct import resolve_url
from .find_file import FileFinder
from .huggingface import HuggingFace
from .reference import parse_reference
from .search import Search
from .terms import TermsReader

_log = logging.getLogger("comfystow.store")


class Sources:
    """All places at once. Teaches the client what the providers' refusals mean."""

    def __init__(self, client: HttpClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._hf_hosts = _host_of(settings.hf_endpoint)
        self._civitai_hosts = _host_of(settings.civitai_endpoint)
        self.huggingface = HuggingFace(client, settings)
        self.civitai = Civitai(client, settings)
        self.search = Search(client, settings, self.civitai)
        self.terms = TermsReader(client, settings)
        self.files = FileFinder(self.search, self.huggingface, self.civitai)

    def parse(self, text: str) -> Source:
        """Read a reference, with the configured endpoints as further names of their sites."""
        return parse_reference(text, hf_hosts=self._hf_hosts, civitai_hosts=self._civitai_hosts)

    async def resolve(self, source: Source, credentials: Credentials | None = None) -> ResolvedFile:
        """Find the one file that a source means, pinned as far as the place allows. Raises: StowError.

        Where it names no folder the shipped list may know the file by its digest.
        """
        file = await self._resolve(source, credentials)
        if file.folder_hint is not None or file.digest is None or file.digest.algorithm != "sha256":
            return file
        return replace(file, folder_hint=await _listed_folder(file.digest))

    async def _resolve(self, source: Source, credentials: Credentials | None) -> ResolvedFile:
        match source:
            case HuggingFaceSource():
                return await self.huggingface.resolve(source, credentials)
            case CivitaiSource():
                return await self.civitai.resolve(source, credentials)
            case UrlSource():
                return await resolve_url(self._client, source, credentials)
            case DigestSource():
                return await self._by_digest(source.digest, credentials)
            case LocalSource():
                return _local(source)
            case StoreSource():
                from .store import resolve_object

                environment = credentials.environment if credentials is not None else {}
                return await resolve_object(source, environment, self._client.gate)

    async def _by_digest(self, digest: Digest, credentials: Credentials | None) -> ResolvedFile:
        """Look a digest up, in the shipped list first: it asks nobody."""
        known = await _listed(digest)
        if known:
            return await self.resolve(self.parse(known[0].source), credentials)
        stored = await self._in_store(digest, credentials)
        if stored is not None:
            return stored
        found = await self.civitai.by_digest(digest, credentials)
        if found is None:
            raise NotFoundError(f"nobody we know has the file {digest}", hint="give a link to it")
        return await self.civitai.resolve(found, credentials)

    async def _in_store(self, digest: Digest, credentials: Credentials | None) -> ResolvedFile | None:
        """Look into the shared store; one that fails has nothing."""
        from .store import SharedStore

        environment = credentials.environment if credentials is not None else {}
        file = ResolvedFile(source=DigestSource(digest=digest), url="", filename=digest.hex, digest=digest)
        try:
            store = SharedStore.open(self._settings, environment, self._client.gate)
            return await store.locate(file) if store is not None else None
        except StowError as err:
            _log.warning("the shared store is passed by: %s", err)
            return None


async def _listed(digest: Digest) -> list[Candidate]:
    """Return the entries of the shipped list; it is read in a thread, once."""
    import asyncio

    from .catalogue import shipped_catalogue

    return (await asyncio.to_thread(shipped_catalogue)).by_digest(digest.hex)


async def _listed_folder(digest: Digest) -> str | None:
    folders = {entry.folder_name for entry in await _listed(digest)}
    return folders.pop() if len(folders) == 1 else None


def _local(source: LocalSource) -> ResolvedFile:
    path = Path(source.path)
    try:
        size = path.stat().st_size
    except OSError as err:
        raise NotFoundError(f"cannot read `{source.path}`: {err.strerror}", hint="check the path") from err
    return ResolvedFile(
        source=source, url=path.as_uri(), filename=safe_component(path.name), size_bytes=size, accepts_ranges=True
    )


def _host_of(endpoint: str) -> frozenset[str]:
    origin = origin_of(endpoint)
    if origin is None:
        return frozenset()
    return frozenset({origin[1] if origin[2] in {80, 443} else f"{origin[1]}:{origin[2]}"})
