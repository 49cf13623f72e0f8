"""Civitai's API v1: models, versions, lookups by hash, the caller.

Source of every shape: civitai/civitai at ebed6616; each function names its file. Keys that need the site's own data
(images, metrics, licensing fees, generation) are left out.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from . import tokens
from .catalogue import CivitaiFile, CivitaiModel, CivitaiVersion
from .civitai_names import air, download_name, primary_file
from .replies import Header, Reply, Request, as_json
from .world import World

USERS = {tokens.CIVITAI_TOKEN: (501, "stow_member"), tokens.CIVITAI_BUYER_TOKEN: (502, "stow_buyer")}
_PUBLIC: list[Header] = [
    ("Cache-Control", "public, s-maxage=300, stale-while-revalidate=150"),
    ("Access-Control-Allow-Origin", "*"),
]


def user_of(request: Request) -> tuple[int, str] | None:
    """Tell who calls, by bearer token or by the `token` parameter."""
    return USERS.get(request.bearer or request.first("token") or "")


class CivitaiApi:
    """Everything below `/api/v1/`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: list[tuple[re.Pattern[str], Callable[..., Reply]]] = [
            (re.compile(r"^models$"), self._list),
            (re.compile(r"^models/([^/]+)$"), self._model),
            (re.compile(r"^model-versions/by-hash/ids$"), self._ids),
            (re.compile(r"^model-versions/by-hash$"), self._by_hashes),
            (re.compile(r"^model-versions/by-hash/([^/]+)$"), self._by_hash),
            (re.compile(r"^model-versions/mini/([^/]+)$"), self._mini),
            (re.compile(r"^model-versions/([^/]+)$"), self._version),
            (re.compile(r"^me$"), self._me),
        ]

    def __call__(self, request: Request) -> Reply | None:
        """Answer a call, or give None where there is no such route."""
        path = request.path.removeprefix("/api/v1/")
        for pattern, handler in self._routes:
            if match := pattern.match(path):
                return handler(request, *match.groups())
        return None

    def _me(self, request: Request) -> Reply:
        """`src/pages/api/v1/me.ts`."""
        user = user_of(request)
        if user is None:
            return as_json({"error": "Unauthorized"}, 401)
        me = {"id": user[0], "username": user[1], "tier": "free", "status": "active", "isMember": False}
        return as_json(me | {"subscriptions": []})

    def _list(self, request: Request) -> Reply:
        """`src/pages/api/v1/models/index.ts`."""
        limit = request.first("limit") or "100"
        if not limit.isdigit() or int(limit) > 100:
            return as_json({"error": {"name": "ZodError"}}, 400)
        wanted = (request.first("query") or "").lower()
        types = set(request.query.get("types", []))
        bases = set(request.query.get("baseModels", []))
        ids = {part for value in request.query.get("ids", []) for part in value.split(",")}
        rows = [
            model
            for model in self._world.civitai
            if model.status == "Published"
            and wanted in model.name.lower()
            and (not types or model.type in types)
            and (not bases or any(version.base_model in bases for version in model.versions))
            and (not ids or str(model.id) in ids)
        ]
        start, size = int(request.first("cursor") or 0), int(limit)
        metadata: dict[str, Any] = {}
        if start + size < len(rows) and size:
            query = {name: values for name, values in request.query.items() if name != "cursor"}
            link = urllib.parse.urlencode(query | {"cursor": [str(start + size)]}, doseq=True)
            metadata = {"nextCursor": start + size, "nextPage": f"{self._world.urls.civitai}{request.path}?{link}"}
        items = [self._model_body(model) for model in rows[start : start + size]]
        return as_json({"items": items, "metadata": metadata}, headers=_PUBLIC)

    def _model(self, request: Request, text_id: str) -> Reply:
        """`src/pages/api/v1/models/[id].ts`."""
        if not text_id.isdigit() or not 0 < int(text_id) < 2**31:
            return as_json({"error": "✖ Invalid input: expected number\n  → at id"}, 400)
        for model in self._world.civitai:
            if model.id == int(text_id) and model.status == "Published":
                return as_json(self._model_body(model), headers=_PUBLIC)
        return as_json({"error": f"No model with id {text_id}"}, 404, _PUBLIC)

    def _model_body(self, model: CivitaiModel) -> dict[str, Any]:
        published = [version for version in model.versions if version.status == "Published"]
        body: dict[str, Any] = {"id": model.id, "name": model.name, "description": "<p>Demo</p>", "type": model.type}
        body |= {"nsfw": False, "poi": False, "tags": list(model.tags)}
        # getAllModelsWithVersionsSelect in src/server/selectors/model.selector.ts; getStatsForModel in model.service.ts.
        body |= {"allowNoCredit": True, "allowCommercialUse": ["Image"], "allowDerivatives": True}
        downloads = sum(version.downloads for version in published)
        body |= {"allowDifferentLicense": False, "stats": {"downloadCount": downloads, "thumbsUpCount": 5}}
        if model.mode is not None:
            body["mode"] = model.mode
        body["creator"] = {"username": "stow_creator", "image": None}
        body["modelVersions"] = [self._version_body(model, version, short=True) for version in published]
        return body

    def _version(self, request: Request, text_id: str) -> Reply:
        """`src/pages/api/v1/model-versions/[id].ts`."""
        if not text_id.isdigit():
            return as_json({"error": "✖ Invalid input: expected number, received NaN\n  → at id"}, 400)
        found = self._world.version(int(text_id))
        if found is None or found[1].status != "Published":
            return as_json({"error": "Model not found"}, 404, _PUBLIC)
        return as_json(self._version_body(*found), headers=_PUBLIC)

    def _version_body(self, model: CivitaiModel, version: CivitaiVersion, *, short: bool = False) -> dict[str, Any]:
        """`prepareModelVersionResponse` in `src/pages/api/v1/model-versions/[id].ts`; `short`: inside a model."""
        body: dict[str, Any] = {
            "id": version.id,
            "name": version.name,
            "createdAt": version.published_at,
            "publishedAt": version.published_at,
            "status": version.status,
            "trainedWords": version.trained_words,
            "baseModel": version.base_model,
            "baseModelType": "Standard",
            "description": version.description,
            "usageControl": version.usage_control,
            "stats": {"downloadCount": version.downloads, "thumbsUpCount": 5},
        }
        if not short:
            primary = primary_file(version.files)
            body["modelId"] = model.id
            body["air"] = air(model, version, primary)
            body["model"] = {"name": model.name, "type": model.type, "nsfw": False, "poi": False}
            if model.mode is not None:
                body["model"]["mode"] = model.mode
            # toPublicPaidAccessDto in src/server/services/paid-access.service.ts.
            body["paidAccess"] = {"permanent": False, "endsAt": version.deadline} if version.deadline else None
        elif version.deadline is not None:
            body["earlyAccessDeadline"] = version.deadline
        if model.mode == "Archived":
            return body | {"files": [], "images": []}
        files = [file for file in version.files if file.visibility == "Public"]
        url = f"{self._world.urls.civitai}/api/download/models/{version.id}"
        body["files"] = [self._file_body(model, version, file) for file in files]
        if short:
            # Inside a model the key is there or not (`? true : undefined`).
            body["files"] = [{k: v for k, v in row.items() if k != "primary" or v} for row in body["files"]]
        return body | {"images": [self._image_body(version)], "downloadUrl": url}

    def _image_body(self, version: CivitaiVersion) -> dict[str, Any]:
        """`getEdgeUrl` in src/client-utils/edge-url.ts: location, image key, `original=true`, name."""
        number = version.id * 10
        url = f"{self._world.urls.cdn}/preview/{number:032x}/original=true/{number}.jpeg"
        return {"url": url, "nsfwLevel": 1, "width": 64, "height": 64, "type": "image"}

    def _file_body(self, model: CivitaiModel, version: CivitaiVersion, file: CivitaiFile) -> dict[str, Any]:
        primary = primary_file(version.files) is file
        # src/server/common/model-helpers.ts createModelFileDownloadUrl: no fileId in a file's own downloadUrl.
        query = {} if primary else {"type": file.type} | file.metadata
        url = f"{self._world.urls.civitai}/api/download/models/{version.id}"
        return {
            "id": file.id,
            "sizeKB": file.blob.size / 1024,
            "name": download_name(model, version, file),
            "type": file.type,
            "pickleScanResult": file.pickle_scan,
            "pickleScanMessage": "No Pickle imports",
            "virusScanResult": "Success",
            "virusScanMessage": None,
            "scannedAt": version.published_at,
            "metadata": file.metadata,
            "hashes": self._hashes(file),
            "primary": primary,
            "downloadUrl": f"{url}?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}" if query else url,
        }

    def _hashes(self, file: CivitaiFile) -> dict[str, str]:
        digests = self._world.digests(file.blob)
        hashes = {
            "AutoV1": digests.auto_v1,
            "AutoV2": digests.auto_v2,
            "SHA256": digests.sha256,
            "CRC32": digests.crc32,
            "AutoV3": digests.auto_v3,
        }
        told = self._world.settings.civitai_hashes.split(",")
        if "BLAKE3" in told:
            from blake3 import blake3  # the demo's environment has none, and tells none

            hashes["BLAKE3"] = blake3(b"".join(bytes(part) for part in file.blob.chunks(0, file.blob.size))).hexdigest()
        return {name: value.upper() for name, value in hashes.items() if name in told}

    def _published(self) -> list[tuple[CivitaiModel, CivitaiVersion, CivitaiFile]]:
        rows = [
            (model, version, file)
            for model in self._world.civitai
            for version in model.versions
            for file in version.files
            if model.status == version.status == "Published"
        ]
        return sorted(rows, key=lambda row: (row[1].published_at, row[1].id))

    def _by_hash(self, request: Request, wanted: str) -> Reply:
        """`src/pages/api/v1/model-versions/by-hash/[hash].ts`: any kind of hash, the oldest version wins."""
        for model, version, file in self._published():
            if wanted.upper() in self._hashes(file).values():
                return as_json(self._version_body(model, version), headers=_PUBLIC)
        return as_json({"error": "Model not found"}, 404, _PUBLIC)

    def _hash_list(self, request: Request, most: int) -> list[str] | Reply:
        """Read the body of both batch routes: an array of SHA-256, 64 characters each."""
        try:
            values = json.loads(request.body)
        except ValueError:
            values = None
        problem = None
        if not isinstance(values, list) or not all(isinstance(value, str) and len(value) == 64 for value in values):
            problem = "Invalid hash"
        elif len(values) > most:
            problem = "Too many hashes"
        if problem is not None:
            return as_json({"error": f"Request must include an array of SHA256 Hashes. {problem}"}, 400)
        return [value.upper() for value in values]

    def _by_hashes(self, request: Request) -> Reply:
        """`src/pages/api/v1/model-versions/by-hash/index.ts`."""
        wanted = self._hash_list(request, 100)
        if isinstance(wanted, Reply):
            return wanted
        rows = [row for row in self._published() if self._hashes(row[2])["SHA256"] in wanted]
        return as_json([self._version_body(model, version) for model, version, _ in rows])

    def _ids(self, request: Request) -> Reply:
        """`src/pages/api/v1/model-versions/by-hash/ids.ts`."""
        wanted = self._hash_list(request, 10_000)
        if isinstance(wanted, Reply):
            return wanted
        rows = [(model.id, version.id, self._hashes(file)["SHA256"]) for model, version, file in self._published()]
        return as_json(
            [
                {"modelVersionId": version, "modelId": model, "hash": sha}
                for model, version, sha in rows
                if sha in wanted
            ]
        )

    def _mini(self, request: Request, text_id: str) -> Reply:
        """`src/pages/api/v1/model-versions/mini/[id].ts`."""
        if not text_id.isdigit() or not 0 < int(text_id) < 2**31:
            return as_json({"error": "✖ Invalid input: expected number\n  → at id"}, 400)
        found = self._world.version(int(text_id))
        if found is None or found[1].status != "Published":
            return as_json({"error": "Model not found"}, 404)
        model, version = found
        wanted = request.first("modelFileId")
        file = primary_file(version.files)
        if wanted is not None:
            file = next((row for row in version.files if str(row.id) == wanted), None)
        if file is None:
            return as_json({"error": f"Model file {wanted} not found in version {version.id}"}, 404)
        url = f"{self._world.urls.civitai}/api/download/models/{version.id}"
        body = {
            "air": air(model, version, file, with_file=wanted is not None),
            "versionName": version.name,
            "modelName": model.name,
            "baseModel": version.base_model,
            "availability": "Public",
            "publishedAt": version.published_at,
            "size": file.blob.size / 1024,
            "fileType": file.type,
            "fileName": file.name,
            "hashes": self._hashes(file),
            "downloadUrls": [f"{url}?fileId={file.id}" if wanted is not None else url],
            "format": file.metadata.get("format"),
            "requireAuth": version.require_auth,
            "checkPermission": version.deadline is not None,
        }
        if version.deadline is not None:
            body["earlyAccessEndsAt"] = version.deadline
        return as_json(body)
