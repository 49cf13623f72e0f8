"""Where do unknown files come from? Digests are looked up in the lists we have, on Civitai and on Hugging Face.

Civitai takes ten thousand digests in one request, and a hundred for the whole version. Hugging Face has no such
question: there the places that a list names for a file of that name and size are asked for its digest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from ...downloads.network import Network
from ...errors import StowError
from ...library.index.index import LibraryIndex
from ...library.index.keep import set_facts
from ...net.credentials import Credentials
from ...records.download import Verified
from ...records.library import LibraryFile
from ...records.source import Digest, HuggingFaceSource
from ...sources.catalogue import Catalogue

_log = logging.getLogger("comfystow.library")

#: Places of one name that are asked for their digest.
_MOST_PLACES = 4
_AT_ONCE = 4


@dataclass(slots=True)
class Found:
    """Sources by hex digits, and who did not answer."""

    sources: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def without(self, digests: Iterable[str]) -> list[Digest]:
        """Return the digests that have no source yet."""
        return [Digest("sha256", digits) for digits in dict.fromkeys(digests) if digits not in self.sources]


async def find_sources(
    files: list[LibraryFile], catalogue: Catalogue, network: Network, credentials: Credentials
) -> Found:
    """Return the sources of files with a digest; a place that does not answer is told and passed by."""
    found = Found()
    digests = [file.sha256 for file in files if file.sha256 is not None]
    for digits in dict.fromkeys(digests):
        listed = catalogue.by_digest(digits)
        if listed:
            found.sources[digits] = listed[0].source
    await _attempt("Civitai", found, lambda: _ask_civitai(found, digests, network, credentials))
    await _attempt("Hugging Face", found, lambda: _ask_places(found, files, catalogue, network, credentials))
    return found


async def _attempt(name: str, found: Found, ask: Callable[[], Awaitable[None]]) -> None:
    try:
        await ask()
    except StowError as err:
        _log.warning("%s was not asked: %s", name, err.message)
        found.failed.append(f"{name}: {err.message}")


async def _ask_civitai(found: Found, digests: list[str], network: Network, credentials: Credentials) -> None:
    civitai = network.sources.civitai
    wanted = found.without(digests)
    if not wanted:
        return
    known = await civitai.identify(wanted, credentials)
    exact = await civitai.files_of([Digest("sha256", digits) for digits in known], credentials)
    found.sources.update({digits: str(source) for digits, source in exact.items()})


async def _ask_places(
    found: Found, files: list[LibraryFile], catalogue: Catalogue, network: Network, credentials: Credentials
) -> None:
    """Ask Hugging Face for the digests of files that lists know by name alone."""
    gate = asyncio.Semaphore(_AT_ONCE)
    digests: dict[str, Digest | None] = {}

    async def digest_of(text: str) -> Digest | None:
        async with gate:
            if text not in digests:
                resolved = await network.sources.resolve(network.sources.parse(text), credentials)
                digests[text] = resolved.digest
        return digests[text]

    async def look(file: LibraryFile) -> None:
        for candidate in catalogue.by_name(file.name, file.folder_name)[:_MOST_PLACES]:
            if candidate.sha256 is not None or candidate.size_bytes not in {None, file.size_bytes}:
                continue
            if not isinstance(network.sources.parse(candidate.source), HuggingFaceSource):
                continue
            try:
                if await digest_of(candidate.source) == file.digest and file.sha256 is not None:
                    found.sources[file.sha256] = candidate.source
                    return
            except StowError as err:
                _log.info("%s was not asked for `%s`: %s", candidate.source, file.name, err.message)

    left = {digest.hex for digest in found.without(file.sha256 for file in files if file.sha256 is not None)}
    await asyncio.gather(*(look(file) for file in files if file.sha256 in left))


def keep_sources(index: LibraryIndex, files: list[LibraryFile], sources: dict[str, str]) -> int:
    """Write what was found, and return for how many files. Raises: StorageError."""
    rows = {
        file.id: {"source": sources[file.sha256], "verified": Verified.DIGEST.value}
        for file in files
        if file.sha256 in sources and file.damaged is None
    }
    pairs = list(rows.items())
    for start in range(0, len(pairs), 250):
        set_facts(index, dict(pairs[start : start + 250]))
    return len(rows)
