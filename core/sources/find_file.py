"""A file by its name or digest on both hubs, for what no list knows: each find with how sure it is, and why.

Hugging Face finds repositories by their names and has no look-up by digest, so the trees of the nearest few are read;
Civitai lists the files of what it finds, and knows digests. A name proves nothing: anybody may give it to any bytes. So
only an equal digest is `exact`, and a name alone is `likely` at best, which no one takes without asking.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import StowError
from ..net.credentials import CIVITAI, HUGGINGFACE, Credentials
from ..records.download import ErrorInfo
from ..records.model import canonical_folder
from ..records.source import Digest, HuggingFaceSource, ResolvedFile
from ..records.workflow import Candidate, Confidence
from ..units import format_bytes
from .civitai import Civitai
from .huggingface import HuggingFace
from .reference import parse_reference
from .search import Search, SearchHit
from .variants import family_of

if TYPE_CHECKING:
    from asyncio import Semaphore

#: Repositories whose trees are read for one name; a tree takes two requests.
_MOST_TREES = 6
_TREES_AT_ONCE = 2
_SEARCH_LIMIT = 20
_CACHE_SECONDS = 300.0
_CACHE_ENTRIES = 200
_MOST_CANDIDATES = 20
#: Searches for one name; each waits for its turn at both sites.
_MOST_QUERIES = 5
#: A shorter word alone finds everything.
_MIN_SINGLE_WORD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFinds:
    """The finds, best first, and the sites that failed."""

    candidates: tuple[Candidate, ...] = ()
    errors: dict[str, ErrorInfo] | None = None


class FileFinder:
    """Finds files. Cancel the task that waits, and the requests end with it."""

    def __init__(self, search: Search, huggingface: HuggingFace, civitai: Civitai) -> None:
        self._search = search
        self._huggingface = huggingface
        self._civitai = civitai
        self._trees: dict[tuple[str, int], tuple[float, list[ResolvedFile]]] = {}
        self._gate: Semaphore | None = None

    async def find(
        self, name: str, *, folder_name: str | None, sha256: str | None, credentials: Credentials | None
    ) -> FileFinds:
        """Look a file up: by its digest where that is known, and by its name. One site's failure hides no find."""
        errors: dict[str, ErrorInfo] = {}
        found: list[Candidate] = []
        if sha256 is not None:
            try:
                found += await self._by_digest(sha256, credentials)
            except StowError as err:
                errors[CIVITAI] = ErrorInfo.of(err)
        if not found:
            for query in _queries(name):
                rows = await self._by_name(query, name, folder_name, credentials, errors)
                found += [row for row in rows if not _is_another(row, sha256)]
                if any(row.confidence is not Confidence.GUESS for row in found):
                    break
        return FileFinds(candidates=tuple(_ranked(found, sha256)), errors=errors or None)

    async def _by_digest(self, sha256: str, credentials: Credentials | None) -> list[Candidate]:
        source = await self._civitai.by_digest(Digest("sha256", sha256), credentials)
        if source is None:
            return []
        version = await self._civitai.version(source, credentials)
        file = next((item for item in version.files if item.id == source.file_id), None)
        return [
            Candidate(
                source=str(source),
                confidence=Confidence.EXACT,
                reason="Civitai lists the same SHA-256",
                name=file.name if file is not None else None,
                size_bytes=None,  # the site's own is rounded
                sha256=sha256,
                base_model=version.base_model,
            )
        ]

    async def _by_name(
        self,
        query: str,
        name: str,
        folder_name: str | None,
        credentials: Credentials | None,
        errors: dict[str, ErrorInfo],
    ) -> list[Candidate]:
        import asyncio

        result = await self._search.find(query, folder_name=None, limit=_SEARCH_LIMIT, credentials=credentials)
        errors.update(result.errors)
        repositories = [hit for hit in result.hits if hit.provider == HUGGINGFACE][:_MOST_TREES]
        trees = await asyncio.gather(*(self._tree(hit, credentials, errors) for hit in repositories))
        found = [
            row
            for hit, files in zip(repositories, trees, strict=True)
            for file in files
            if (row := _of_tree(hit, file, name, folder_name)) is not None
        ]
        found += [row for hit in result.hits if hit.provider == CIVITAI for row in _of_civitai(hit, name, folder_name)]
        return found

    async def _tree(
        self, hit: SearchHit, credentials: Credentials | None, errors: dict[str, ErrorInfo]
    ) -> list[ResolvedFile]:
        """List a repository, few at once, and remember it for a while; one that refuses has no files."""
        import asyncio

        headers = credentials.headers_for(hit.page_url) if credentials is not None else {}
        key = (hit.source, hash(frozenset(headers.items())))
        cached = self._trees.get(key)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        source = parse_reference(hit.source)
        if not isinstance(source, HuggingFaceSource):
            return []
        self._gate = self._gate or asyncio.Semaphore(_TREES_AT_ONCE)
        try:
            async with self._gate:
                files = await self._huggingface.list_files(source, credentials)
        except StowError as err:
            if err.retryable:
                errors.setdefault(HUGGINGFACE, ErrorInfo.of(err))
            return []
        if len(self._trees) >= _CACHE_ENTRIES:
            self._trees.clear()
        self._trees[key] = (time.monotonic() + _CACHE_SECONDS, files)
        return files


def _queries(name: str) -> list[str]:
    """Return what to search for, until something is found: all words, those that say what it is, single ones (pure)."""
    stem = re.split(r"[/\\]", name)[-1].rpartition(".")[0] or name
    words = re.findall(r"[0-9a-z.]+", stem.lower())
    telling = family_of(name).split()
    texts = [" ".join(words), " ".join(telling), "-".join(telling), " ".join(telling[:2]), "-".join(telling[:2])]
    texts += [word for word in telling[:2] if len(word) >= _MIN_SINGLE_WORD]
    return [text for text in dict.fromkeys(texts) if text][:_MOST_QUERIES]


def _of_tree(hit: SearchHit, file: ResolvedFile, name: str, folder_name: str | None) -> Candidate | None:
    source = file.source
    if not isinstance(source, HuggingFaceSource):
        return None
    where = f"{hit.title} on Hugging Face ({hit.downloads:,} downloads)" if hit.downloads else f"{hit.title}"
    judged = _judge(file.filename, name, file.folder_hint, folder_name, where)
    if judged is None:
        return None
    return Candidate(
        source=str(replace(source, revision=None)),  # pinned when it is fetched, as a link would be
        confidence=judged[0],
        reason=judged[1],
        folder_name=file.folder_hint,
        name=file.filename,
        size_bytes=file.size_bytes,
        sha256=file.digest.hex if file.digest is not None else None,
        licence=hit.licence,
        gated=hit.gated,
    )


def _of_civitai(hit: SearchHit, name: str, folder_name: str | None) -> Iterable[Candidate]:
    for file in hit.files:
        judged = _judge(file.name, name, file.folder_name, folder_name, f"{hit.title} on Civitai")
        if judged is not None:
            yield Candidate(
                source=file.source,
                confidence=judged[0],
                reason=f"{judged[1]}, {format_bytes(file.about_size_bytes)}" if file.about_size_bytes else judged[1],
                folder_name=file.folder_name,
                name=file.name,
                sha256=file.sha256,
                base_model=file.base_model,
            )


def _judge(
    found: str, wanted: str, found_folder: str | None, wanted_folder: str | None, where: str
) -> tuple[Confidence, str] | None:
    """Say how much a file's name is worth, None where it is another one (pure)."""
    base = re.split(r"[/\\]", wanted)[-1].lower()
    elsewhere = (
        wanted_folder is not None
        and found_folder is not None
        and canonical_folder(found_folder) != canonical_folder(wanted_folder)
    )
    if found.lower() == base and not elsewhere:
        return Confidence.LIKELY, f"{where} has a file of this name"
    if found.lower() == base:
        return Confidence.GUESS, f"{where} has the name, for {found_folder}"
    if _letters(found) == _letters(base):
        return Confidence.GUESS, f"{where} has `{found}`, another spelling"
    return None


def _letters(name: str) -> str:
    stem, _, suffix = name.lower().rpartition(".")
    return re.sub(r"[^0-9a-z]+", "", stem) + "." + suffix


def _is_another(row: Candidate, sha256: str | None) -> bool:
    """Tell whether a find is certainly another file: the workflow's author embedded another digest."""
    return sha256 is not None and row.sha256 is not None and row.sha256 != sha256


def _ranked(rows: Iterable[Candidate], sha256: str | None) -> Iterable[Candidate]:
    """Order finds, and tell equal bytes from mere namesakes by their digests (pure)."""
    rows = [
        replace(row, confidence=Confidence.EXACT, reason=f"{row.reason}, with the SHA-256 of the workflow")
        if sha256 is not None and row.sha256 == sha256
        else row
        for row in rows
    ]
    places: Counter[str | None] = Counter(row.sha256 for row in rows if row.sha256 is not None)
    order = list(Confidence)
    ranked = sorted(rows, key=lambda row: (order.index(row.confidence), -places.get(row.sha256, 0)))
    unique = {row.source: row for row in reversed(ranked)}
    kept = sorted(unique.values(), key=ranked.index)[:_MOST_CANDIDATES]
    return [_told(row, places, len(places)) for row in kept]


def _told(row: Candidate, places: Counter[str | None], kinds: int) -> Candidate:
    same = places.get(row.sha256, 0) - 1
    if same > 0:
        return replace(row, reason=f"{row.reason}; the same bytes in {same} more {'place' if same == 1 else 'places'}")
    if kinds > 1 and row.sha256 is not None:
        return replace(row, reason=f"{row.reason}; {kinds} different files are called so")
    return row
