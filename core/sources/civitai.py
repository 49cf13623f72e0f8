"""Civitai (.com and .red, one provider): version, file, and a download URL that names the file by its id.

The API's own `downloadUrl` selects by metadata and may answer 404 or give another file; `?fileId=` names one file.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..config import Settings
from ..errors import (
    AuthRequiredError,
    GoneError,
    InvalidNameError,
    NotAModelError,
    NotFoundError,
    StowError,
    UsageError,
)
from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..net.hosts import CIVITAI_HOSTS, origin_of
from ..net.location import FIRST_BYTE, Location, get_json, locate
from ..paths import safe_component
from ..records.source import CivitaiSource, Digest, ResolvedFile
from .civitai_errors import civitai_explainer, downloads_disabled, login_required
from .civitai_files import Version, VersionFile, choose_file, read_licence, read_version
from .folders import folder_of_civitai

_log = logging.getLogger("comfystow.sources")
_SITES = ("https://civitai.com", "https://civitai.red")
#: Largest batch that `POST /api/v1/model-versions/by-hash/ids` takes (its source, and developer.civitai.com).
MAX_HASHES = 10_000
#: Largest batch that `POST /api/v1/model-versions/by-hash` takes.
MAX_VERSIONS = 100


class Civitai:
    """Civitai; `sites` are asked in order: some models and keys answer on one of the two domains only."""

    def __init__(self, client: HttpClient, settings: Settings, *, sites: tuple[str, ...] | None = None) -> None:
        self._client = client
        endpoint = settings.civitai_endpoint.rstrip("/")
        others = tuple(site for site in _SITES if site != endpoint) if endpoint in _SITES else ()
        self._sites = sites or (endpoint, *others)
        self._origins = {origin_of(site) for site in self._sites}
        client.explainers.append(civitai_explainer(self.is_own))

    def is_own(self, url: str) -> bool:
        """Tell whether a URL is of the site itself, not of its storage."""
        origin = origin_of(url)
        return origin is not None and (origin in self._origins or origin[1] in CIVITAI_HOSTS)

    async def resolve(self, source: CivitaiSource, credentials: Credentials | None) -> ResolvedFile:
        """Find one file by its id.

        Raises: AmbiguousSourceError, NotFoundError, AuthRequiredError, EarlyAccessError, DownloadsDisabledError,
        GoneError: each with what to do.
        """
        version = await self.version(source, credentials)
        if version.mode in {"Archived", "TakenDown"}:
            raise GoneError("Civitai has archived this model", hint="its files cannot be downloaded any more")
        file = choose_file(version, source.file_id, source.wanted)
        if version.usage_control not in {None, "Download"}:
            raise downloads_disabled()
        path = f"/api/download/models/{version.id}?{urlencode({'fileId': file.id})}"
        site, location = await self._first_site(path, credentials, self._locate)
        licence = version.licence or await self._licence(version.model_id, credentials)
        return _resolved(site, version, file, location, licence)

    async def version(self, source: CivitaiSource, credentials: Credentials | None) -> Version:
        """Return the version that a source means: its own, else the newest that holds the file, else the newest."""
        if source.version_id is not None:
            data = await self._ask(f"model-versions/{source.version_id}", credentials)
            version = read_version(data)
            if source.model_id is not None and version.model_id not in {None, source.model_id}:
                raise NotFoundError(
                    f"version {version.id} belongs to model {version.model_id}, not {source.model_id}",
                    hint=f"write civitai://{version.model_id}@{version.id}",
                )
            return version
        if source.model_id is None:
            raise UsageError("a Civitai source needs a model or a version", hint="write civitai://MODEL@VERSION")
        model = await self._ask(f"models/{source.model_id}", credentials)
        rows = model.get("modelVersions") if isinstance(model, dict) else None
        versions = [read_version(row, model) for row in rows] if isinstance(rows, list) else []
        if source.file_id is not None:
            versions = [item for item in versions if any(file.id == source.file_id for file in item.files)]
        if not versions:
            wanted = f"file {source.file_id}" if source.file_id is not None else "published version"
            raise NotFoundError(f"model {source.model_id} has no {wanted}", hint="open its page on Civitai")
        return versions[0]

    async def _licence(self, model_id: int | None, credentials: Credentials | None) -> dict[str, object] | None:
        """Ask the model what its versions do not tell; a file is not held up by it."""
        if model_id is None:
            return None
        try:
            return read_licence(await self._ask(f"models/{model_id}", credentials))
        except StowError as err:
            _log.info("the licence of model %d is not known: %s", model_id, err)
            return None

    async def identify(self, digests: list[Digest], credentials: Credentials | None = None) -> dict[str, CivitaiSource]:
        """Look SHA-256 digests up, 10,000 in one request; returns those that Civitai knows, by their hex digits."""
        wanted = sorted({digest.hex for digest in digests if digest.algorithm == "sha256"})
        found: dict[str, CivitaiSource] = {}
        for start in range(0, len(wanted), MAX_HASHES):
            batch = [text.upper() for text in wanted[start : start + MAX_HASHES]]
            rows = await self._ask("model-versions/by-hash/ids", credentials, body=batch)
            for row in rows if isinstance(rows, list) else []:
                match row:
                    case {"hash": str(text), "modelId": int(model_id), "modelVersionId": int(version_id)}:
                        found.setdefault(text.lower(), CivitaiSource(model_id=model_id, version_id=version_id))
                    case _:
                        continue
        return found

    async def files_of(self, digests: list[Digest], credentials: Credentials | None = None) -> dict[str, CivitaiSource]:
        """Return the very files that have these SHA-256 digests, of the oldest version that lists each, by hex digits.

        Whole versions come, 100 digests in one request: ask for those that `identify` has found.
        """
        wanted = sorted({digest.hex for digest in digests if digest.algorithm == "sha256"})
        found: dict[str, CivitaiSource] = {}
        for start in range(0, len(wanted), MAX_VERSIONS):
            batch = [text.upper() for text in wanted[start : start + MAX_VERSIONS]]
            rows = await self._ask("model-versions/by-hash", credentials, body=batch)
            versions = [read_version(row) for row in rows] if isinstance(rows, list) else []
            for version in sorted(versions, key=lambda version: version.id):
                for file in version.files:
                    if file.sha256 is not None and file.sha256.hex in wanted:
                        source = CivitaiSource(model_id=version.model_id, version_id=version.id, file_id=file.id)
                        found.setdefault(file.sha256.hex, source)
        return found

    async def by_digest(self, digest: Digest, credentials: Credentials | None = None) -> CivitaiSource | None:
        """Return the very file that has a digest, of the oldest version that lists it; None when there is none."""
        try:
            version = read_version(await self._ask(f"model-versions/by-hash/{digest.hex.upper()}", credentials))
        except NotFoundError:
            return None
        file = next((item for item in version.files if digest.hex in item.hashes.values()), None)
        return CivitaiSource(
            model_id=version.model_id, version_id=version.id, file_id=file.id if file is not None else None
        )

    async def search(self, query: list[tuple[str, str]], credentials: Credentials | None) -> list[dict[str, Any]]:
        """Ask for models by name; see `search`."""
        data = await self._ask(f"models?{urlencode(query)}", credentials)
        items = data.get("items") if isinstance(data, dict) else None
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    async def _ask(self, route: str, credentials: Credentials | None, *, body: object = None) -> Any:
        async def ask(url: str, credentials: Credentials | None) -> Any:
            method = "GET" if body is None else "POST"
            return await get_json(self._client, url, credentials=credentials, method=method, json=body)

        return (await self._first_site(f"/api/v1/{route}", credentials, ask))[1]

    async def _locate(self, url: str, credentials: Credentials | None) -> Location:
        location = await locate(self._client, url, credentials=credentials, span=FIRST_BYTE)
        content_type = location.headers.get("Content-Type", "")
        if self.is_own(location.url) and content_type.startswith("text/html"):
            if urlsplit(location.url).path.startswith("/login"):
                raise login_required(with_token=credentials is not None and bool(credentials.headers_for(url)))
            raise NotAModelError("Civitai answered with a web page", hint="open the model's page to see why")
        return location

    async def _first_site(self, path: str, credentials: Credentials | None, ask: Any) -> tuple[str, Any]:
        """Ask the sites in order; the first one's refusal is told when the others refuse too."""
        refusal: NotFoundError | AuthRequiredError | None = None
        for site in self._sites:
            try:
                return site, await ask(f"{site}{path}", credentials)
            except (NotFoundError, AuthRequiredError) as err:
                refusal = refusal or err
        assert refusal is not None  # noqa: S101 - there is at least one site
        raise refusal


def _resolved(
    site: str, version: Version, file: VersionFile, location: Location, licence: dict[str, object] | None
) -> ResolvedFile:
    source = CivitaiSource(model_id=version.model_id, version_id=version.id, file_id=file.id)
    return ResolvedFile(
        source=source,
        url=f"{site}/api/download/models/{version.id}?{urlencode({'fileId': file.id})}",
        filename=_name(version, file, location),
        size_bytes=location.size_bytes,
        digest=file.digest,
        accepts_ranges=location.accepts_ranges,
        folder_hint=folder_of_civitai(file.type, version.model_type),
        base_model_hint=version.base_model,
        page_url=f"{site}/models/{version.model_id}?modelVersionId={version.id}" if version.model_id else None,
        metadata=_metadata(version, file) | ({"licence": licence} if licence is not None else {}),
    )


def _name(version: Version, file: VersionFile, location: Location) -> str:
    """An embedding is called by its file's name, so the site renames it to the trigger word on download."""
    if version.model_type == "TextualInversion" and location.filename is not None:
        return location.filename
    try:
        return safe_component(file.name)
    except InvalidNameError:
        return location.filename or f"civitai_{file.id}.safetensors"


def _metadata(version: Version, file: VersionFile) -> dict[str, object]:
    facts: dict[str, object] = {
        "model_name": version.model_name,
        "model_type": version.model_type,
        "version_name": version.name,
        "trigger_words": list(version.trained_words),
        "preview_url": version.preview_url,
        "file_type": file.type,
        "precision": file.selectors.get("fp") or file.selectors.get("quantType"),
        "scans": file.scans,
        "hashes": file.hashes,
    }
    if len(version.files) > 1:
        facts["choices"] = [item.describe() for item in version.files]
    return {name: value for name, value in facts.items() if value}
