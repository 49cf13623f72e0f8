"""Models by name, on Hugging Face and Civitai at once: ranked, cached, and never faster than the sites like.

Hugging Face finds repositories, Civitai versions; `SearchHit.source` is a reference that the other commands take.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..config import Settings
from ..errors import InvalidReferenceError, StowError, UsageError
from ..net.client import HttpClient
from ..net.credentials import CIVITAI, HUGGINGFACE, Credentials
from ..net.location import get_json
from ..records.download import ErrorInfo
from ..records.source import CivitaiSource
from .civitai import Civitai
from .civitai_files import read_version
from .folders import civitai_types_of, folder_of_civitai
from .reference import parse_reference

if TYPE_CHECKING:
    from asyncio import Lock

_CACHE_SECONDS = 300.0
_CACHE_ENTRIES = 200
_PAUSE_SECONDS = 0.3
_MAX_LIMIT = 100
_MAX_QUERY_LENGTH = 200
_MOST_FILES = 40
_MOST_VERSIONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HitFile:
    """One file of a find, where the answer lists them; `about_size_bytes` is rounded by the site."""

    name: str
    source: str
    folder_name: str | None = None
    base_model: str | None = None
    about_size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One find. `score` orders hits of both sites; a higher one is nearer to the query."""

    provider: str
    title: str
    source: str
    page_url: str
    folder_name: str | None = None
    base_model: str | None = None
    downloads: int | None = None
    likes: int | None = None
    gated: bool | None = None
    licence: str | None = None
    preview_url: str | None = None
    files: tuple[HitFile, ...] = ()
    score: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The hits, best first, and the sites that failed: one that is down does not hide the other's."""

    hits: tuple[SearchHit, ...]
    errors: dict[str, ErrorInfo]


_Ask = Callable[[str, str | None, int, Credentials | None], Awaitable[list[SearchHit]]]


class Search:
    """Searches. Cancel the task that waits for `find`, and the requests end with it."""

    def __init__(
        self, client: HttpClient, settings: Settings, civitai: Civitai, *, pause_seconds: float = _PAUSE_SECONDS
    ) -> None:
        self._client = client
        self._endpoint = settings.hf_endpoint.rstrip("/")
        self._civitai_page = settings.civitai_endpoint.rstrip("/")
        self._civitai = civitai
        self._pause_seconds = pause_seconds
        self._cache: dict[tuple[object, ...], tuple[float, list[SearchHit]]] = {}
        self._next_at: dict[str, float] = {}
        self._turns: dict[str, Lock] = {}
        self._asks: dict[str, _Ask] = {CIVITAI: self._ask_civitai}
        if not settings.hf_offline:
            self._asks[HUGGINGFACE] = self._ask_hub

    async def find(
        self,
        query: str,
        *,
        folder_name: str | None = None,
        provider: str | None = None,
        limit: int = 20,
        credentials: Credentials | None = None,
    ) -> SearchResult:
        """Search for models of a folder's kind. Raises: UsageError: an empty query, or no such provider."""
        import asyncio

        text = " ".join(query.split())[:_MAX_QUERY_LENGTH]
        if not text:
            raise UsageError("there is nothing to search for", hint="give a part of the model's name")
        names = [provider] if provider is not None else sorted(self._asks)
        if unknown := [name for name in names if name not in self._asks]:
            raise UsageError(f"cannot search on `{unknown[0][:40]}`", hint=f"use {', '.join(sorted(self._asks))}")
        count = max(1, min(limit, _MAX_LIMIT))
        found = await asyncio.gather(*(self._try(name, text, folder_name, count, credentials) for name in names))
        hits = [hit for part in found if isinstance(part, list) for hit in part]
        errors = {name: part for name, part in zip(names, found, strict=True) if isinstance(part, ErrorInfo)}
        return SearchResult(hits=tuple(sorted(hits, key=lambda hit: -hit.score)[:count]), errors=errors)

    async def _try(
        self, name: str, text: str, folder_name: str | None, count: int, credentials: Credentials | None
    ) -> list[SearchHit] | ErrorInfo:
        # Hits depend on whose token asks (private and gated repositories), so callers do not share them.
        whose = hash(frozenset((credentials.headers_for(self._site(name)) if credentials else {}).items()))
        key = (name, text.lower(), folder_name, count, whose)
        cached = self._cache.get(key)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        try:
            await self._take_turn(name)
            hits = [
                replace(hit, score=_score(text, hit))
                for hit in await self._asks[name](text, folder_name, count, credentials)
            ]
        except StowError as err:
            return ErrorInfo.of(err)
        if len(self._cache) >= _CACHE_ENTRIES:
            self._cache.clear()
        self._cache[key] = (time.monotonic() + _CACHE_SECONDS, hits)
        return hits

    def _site(self, name: str) -> str:
        return self._endpoint if name == HUGGINGFACE else self._civitai_page

    async def _take_turn(self, name: str) -> None:
        """Wait until the pause since the last request to a site is over."""
        import asyncio

        async with self._turns.setdefault(name, asyncio.Lock()):
            await asyncio.sleep(max(0.0, self._next_at.get(name, 0.0) - time.monotonic()))
            self._next_at[name] = time.monotonic() + self._pause_seconds

    async def _ask_hub(
        self, text: str, folder_name: str | None, limit: int, credentials: Credentials | None
    ) -> list[SearchHit]:
        """`GET /api/models?search=` (huggingface_hub `hf_api.py`, list_models: the list is short without `expand`)."""
        query = [("search", text), ("limit", str(limit)), ("sort", "downloads"), ("direction", "-1")]
        query += [("expand", name) for name in ("downloads", "likes", "gated", "tags")]
        if folder_name == "loras":
            query.append(("filter", "lora"))
        data = await get_json(self._client, f"{self._endpoint}/api/models?{urlencode(query)}", credentials=credentials)
        return [hit for row in (data if isinstance(data, list) else []) if (hit := self._hub_hit(row)) is not None]

    def _hub_hit(self, row: Any) -> SearchHit | None:
        name = row.get("id") if isinstance(row, dict) else None
        if not isinstance(name, str):
            return None
        try:
            source = parse_reference(f"hf://{name}")
        except InvalidReferenceError:
            return None
        gated = row.get("gated")
        return SearchHit(
            provider=HUGGINGFACE,
            title=name,
            source=str(source),
            page_url=f"{self._endpoint}/{name}",
            downloads=_count(row.get("downloads")),
            likes=_count(row.get("likes")),
            gated=bool(gated) if gated is not None else None,
            licence=_licence_tag(row.get("tags")),
        )

    async def _ask_civitai(
        self, text: str, folder_name: str | None, limit: int, credentials: Credentials | None
    ) -> list[SearchHit]:
        """`GET /api/v1/models` (developer.civitai.com, "Models")."""
        query = [("query", text), ("limit", str(limit))]
        query += [("types", kind) for kind in civitai_types_of(folder_name)]
        rows = await self._civitai.search(query, credentials)
        return [hit for row in rows if (hit := self._civitai_hit(row)) is not None]

    def _civitai_hit(self, row: dict[str, Any]) -> SearchHit | None:
        versions = _list(row, "modelVersions")
        newest = _dict(versions[0]) if versions else {}
        match row, newest:
            case {"id": int(model_id), "name": str(title)}, {"id": int(version_id)}:
                pass
            case _:
                return None
        images = _list(newest, "images")
        kind, base, preview = row.get("type"), newest.get("baseModel"), _dict(images[0] if images else None).get("url")
        stats = _dict(row.get("stats"))
        return SearchHit(
            provider=CIVITAI,
            title=title[:200],
            source=f"civitai://{model_id}@{version_id}",
            page_url=f"{self._civitai_page}/models/{model_id}?modelVersionId={version_id}",
            folder_name=folder_of_civitai(None, kind if isinstance(kind, str) else None),
            base_model=base[:60] if isinstance(base, str) else None,
            downloads=_count(stats.get("downloadCount")),
            likes=_count(stats.get("thumbsUpCount")),
            preview_url=preview if isinstance(preview, str) else None,
            files=tuple(_civitai_files(row, versions))[:_MOST_FILES],
        )


def _civitai_files(row: dict[str, Any], versions: list[Any]) -> Iterator[HitFile]:
    """Yield the files of a model's versions, newest first; a version that cannot be read has none."""
    for data in versions[:_MOST_VERSIONS]:
        try:
            version = read_version(data, row)
        except StowError:
            continue
        for file in version.files:
            if version.model_id is not None and file.name:
                yield HitFile(
                    name=file.name[:_MAX_QUERY_LENGTH],
                    source=str(CivitaiSource(model_id=version.model_id, version_id=version.id, file_id=file.id)),
                    folder_name=folder_of_civitai(file.type, version.model_type),
                    base_model=version.base_model[:60] if version.base_model is not None else None,
                    about_size_bytes=file.about_size_bytes,
                    sha256=file.sha256.hex if file.sha256 is not None else None,
                )


def _licence_tag(tags: object) -> str | None:
    """Return the licence that a repository's card states; the list has it as the tag `license:NAME`."""
    texts = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return next((text.partition(":")[2][:60] or None for text in texts if text.startswith("license:")), None)


def _score(query: str, hit: SearchHit) -> float:
    """Order by how much of the query the title holds, then by downloads on a scale where 10 times as many add 0.05."""
    words, title = _words(query), hit.title.rsplit("/", 1)[-1]
    found = _words(hit.title)
    part = len(words & found) / len(words) if words else 0.0
    exact = 1.0 if "".join(sorted(words)) == "".join(sorted(_words(title))) else 0.0
    inside = 0.5 if re.sub(r"\W+", "", query.lower()) in re.sub(r"\W+", "", hit.title.lower()) else 0.0
    return part + exact + inside + 0.05 * math.log10(1 + (hit.downloads or 0))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[0-9a-z]+", text.lower()))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _list(row: dict[str, Any], name: str) -> list[Any]:
    value = row.get(name)
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
