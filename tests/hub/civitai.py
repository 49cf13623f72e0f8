"""The Civitai origin: API v1, downloads, pages.

Source of every shape: civitai/civitai at ebed6616, `src/pages/api/...`; each function names its file. Keys that need
the site's own data (images, metrics, licensing fees, generation) are left out.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from . import tokens
from .catalogue import CivitaiFile, CivitaiModel, CivitaiVersion
from .replies import Header, Reply, Request, as_json, html, redirect, text
from .world import Stored, World

USERS = {tokens.CIVITAI_TOKEN: (501, "stow_member"), tokens.CIVITAI_BUYER_TOKEN: (502, "stow_buyer")}
# src/server/common/constants.ts modelFileTypes.
FILE_TYPES = (
    "Model", "Text Encoder", "Pruned Model", "Negative", "Training Data", "VAE", "Config", "Archive", "UNet",
    "CLIPVision", "ControlNet", "Diffusion Model", "Vision Encoder", "Upscaler", "Workflow", "Enhancement LoRA", "Other",
)  # fmt: skip
# src/shared/utils/air.ts typeUrnMap and fileTypeUrnMap; ecosystems: the base model's root key in lower case.
_AIR_TYPES = {
    "Checkpoint": "checkpoint",
    "LORA": "lora",
    "LoCon": "lycoris",
    "TextualInversion": "embedding",
    "VAE": "vae",
}
_AIR_FILE_TYPES = {"Diffusion Model": "diffusionmodel", "UNet": "unet"}
_ECOSYSTEMS = {"SD 1.5": "sd1", "SDXL 1.0": "sdxl", "Flux.1 D": "flux1"}
# src/server/utils/request-helpers.ts isRequestFromBrowser: the user agent decides, not Accept.
_BROWSERS = ("mozilla", "chrome", "safari", "firefox", "opera", "edge")
_NO_STORE: list[Header] = [("Cache-Control", "no-store, max-age=0")]
_PUBLIC: list[Header] = [
    ("Cache-Control", "public, s-maxage=300, stale-while-revalidate=150"),
    ("Access-Control-Allow-Origin", "*"),
]


class Civitai:
    """Application of the Civitai port."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: list[tuple[re.Pattern[str], Callable[..., Reply]]] = [
            (re.compile(r"^/api/download/models/([^/]+)$"), self._download),
            (re.compile(r"^/api/v1/models$"), self._list),
            (re.compile(r"^/api/v1/models/([^/]+)$"), self._model),
            (re.compile(r"^/api/v1/model-versions/by-hash/ids$"), self._ids),
            (re.compile(r"^/api/v1/model-versions/by-hash$"), self._by_hashes),
            (re.compile(r"^/api/v1/model-versions/by-hash/([^/]+)$"), self._by_hash),
            (re.compile(r"^/api/v1/model-versions/mini/([^/]+)$"), self._mini),
            (re.compile(r"^/api/v1/model-versions/([^/]+)$"), self._version),
            (re.compile(r"^/api/v1/me$"), self._me),
            (re.compile(r"^/(?:(?:models|model-versions)/\d+(?:/.*)?|login)$"), self._page),
        ]

    def __call__(self, request: Request) -> Reply:
        for pattern, handler in self._routes:
            if match := pattern.match(request.path):
                return handler(request, *match.groups())
        return html("404", 404)

    def _user(self, request: Request) -> tuple[int, str] | None:
        token = request.bearer or request.first("token")
        return USERS.get(token or "")

    def _page(self, request: Request) -> Reply:
        return html(request.path)

    def _me(self, request: Request) -> Reply:
        """`src/pages/api/v1/me.ts`."""
        user = self._user(request)
        if user is None:
            return as_json({"error": "Unauthorized"}, 401)
        me = {"id": user[0], "username": user[1], "tier": "free", "status": "active", "isMember": False}
        return as_json(me | {"subscriptions": []})

    def _download(self, request: Request, version_text: str) -> Reply:
        """`src/pages/api/download/models/[modelVersionId].ts` and `getFileForModelVersion` in file.service.ts."""
        reply = self._download_reply(request, version_text)
        reply.headers += _NO_STORE
        return reply

    def _download_reply(self, request: Request, version_text: str) -> Reply:
        if request.method == "HEAD":
            # Seen by downloaders: HEAD answers 401 even with a good token; only GET can be trusted.
            return as_json({"error": "Unauthorized"}, 401)
        browser = any(word in request.headers.get("User-Agent", "").lower() for word in _BROWSERS)

        def refuse(status: int, message: str) -> Reply:
            return text(message, status) if browser else as_json({"error": message}, status)

        file_type = request.first("type")
        file_id = request.first("fileId") or None
        if (
            not version_text.isdigit()
            or (file_id and not file_id.isdigit())
            or (file_type and file_type not in FILE_TYPES)
        ):
            return as_json({"error": "✖ Invalid input: expected number, received NaN\n  → at modelVersionId"}, 400)
        found = self._world.version(int(version_text))
        user = self._user(request)
        if found is None or found[0].status != "Published" or found[1].status != "Published":
            return refuse(404, "File not found")
        model, version = found
        if (denied := self._denied(request, model, version, user, browser=browser)) is not None:
            return denied
        files = [file for file in version.files if file.visibility == "Public"]
        chosen: CivitaiFile | None
        if file_id:
            chosen = next((file for file in files if file.id == int(file_id)), None)
        else:
            wanted = {
                name: request.first(name) for name in ("format", "size", "fp", "quantType") if request.first(name)
            }
            chosen = primary_file([file for file in files if file_type in (None, file.type)], wanted)
            if chosen is not None and any(chosen.metadata.get(name, value) != value for name, value in wanted.items()):
                chosen = None
        if chosen is None:
            return refuse(404, "File not found")
        target = self._world.signed_url(*self._object(model, version, chosen))
        # Next's res.redirect(url) is a 307.
        reply = redirect(target, 307)
        reply.file = f"civitai/{chosen.id}/{chosen.name}"
        return reply

    def _object(self, model: CivitaiModel, version: CivitaiVersion, file: CivitaiFile) -> tuple[str, Stored]:
        stored = Stored(
            label=f"civitai/{file.id}/{file.name}",
            blob=file.blob,
            bucket="r2",
            filename=download_name(model, version, file),
        )
        return f"/civitai-delivery-worker-prod/501/model/{file.id}/{file.name}", stored

    def objects(self) -> dict[str, Stored]:
        """List everything in Civitai's storage."""
        return dict(
            self._object(model, version, file)
            for model in self._world.civitai
            for version in model.versions
            for file in version.files
        )

    def _denied(
        self,
        request: Request,
        model: CivitaiModel,
        version: CivitaiVersion,
        user: tuple[int, str] | None,
        *,
        browser: bool,
    ) -> Reply | None:
        if model.mode == "Archived":
            message = "Model archived, not available for download"
            return text(message, 410) if browser else as_json({"error": message}, 410)
        if version.usage_control != "Download":
            message = "The creator of this asset has disabled downloads on this file"
            return as_json({"error": "Unauthorized", "message": message}, 401)
        if version.require_auth and user is None:
            if browser:
                query = {"returnUrl": f"/model-versions/{version.id}", "reason": "download-auth"}
                return redirect(f"/login?{urllib.parse.urlencode(query)}", 307)
            message = "The creator of this asset requires you to be logged in to download it"
            return as_json({"error": "Unauthorized", "message": message}, 401)
        if version.deadline is not None and user != USERS[tokens.CIVITAI_BUYER_TOKEN]:
            if browser:
                return redirect(f"/model-versions/{version.id}", 307)
            message = "This asset is in Early Access. You can use Buzz access it now!"
            return as_json({"error": "Early Access", "deadline": version.deadline, "message": message}, 403)
        return None

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
        }
        if not short:
            primary = primary_file(version.files)
            body["modelId"] = model.id
            body["air"] = air(model, version, primary)
            body["model"] = {"name": model.name, "type": model.type, "nsfw": False, "poi": False}
            if model.mode is not None:
                body["model"]["mode"] = model.mode
            body["paidAccess"] = {"endsAt": version.deadline} if version.deadline else None
        if model.mode == "Archived":
            return body | {"files": [], "images": []}
        files = [file for file in version.files if file.visibility == "Public"]
        url = f"{self._world.urls.civitai}/api/download/models/{version.id}"
        body["files"] = [self._file_body(model, version, file) for file in files]
        return body | {"images": [], "downloadUrl": url}

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
        return {name: value.upper() for name, value in hashes.items()}

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


def primary_file(files: list[CivitaiFile], preferences: dict[str, str | None] | None = None) -> CivitaiFile | None:
    """Score files as `getPrimaryFile` does (src/server/utils/model-helpers.ts); the first of equals wins."""
    wanted = {"format": "SafeTensor", "size": "pruned", "fp": "fp16", "quantType": "Q4_K_M"} | (preferences or {})
    weights = {"format": 100, "size": 10, "fp": 1, "quantType": 0.5}

    def score(file: CivitaiFile) -> float:
        total = 1000.0 + (1000 if file.type in ("Model", "Pruned Model", "Diffusion Model", "UNet") else 0)
        for name, value in file.metadata.items():
            total += weights.get(name, 0) * (1 if value == wanted.get(name) else -1)
        return total

    return max(files, key=score, default=None)


def download_name(model: CivitaiModel, version: CivitaiVersion, file: CivitaiFile) -> str:
    """Name a download as `getDownloadFilename` does (src/server/services/file.service.ts)."""
    if model.type in ("LORA", "LoCon") or file.type == "VAE":
        return file.name
    suffix = file.name.rsplit(".", 1)[-1]
    if model.type == "TextualInversion":
        return f"{version.trained_words[0]}.{suffix}" if version.trained_words else file.name
    tail = "_txt" if file.type == "Text Encoder" else ""
    return f"{_filenamize(model.name)}_{_filenamize(version.name)}{tail}.{suffix}"


def _filenamize(name: str) -> str:
    """Approximate `filenamize` (src/utils/string-helpers.ts): words joined, capitals kept."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9.]+", name) if word).replace(".", "")


def air(model: CivitaiModel, version: CivitaiVersion, file: CivitaiFile | None, *, with_file: bool = False) -> str:
    """Write the AIR as `stringifyAIR` does (src/shared/utils/air.ts)."""
    kind = _AIR_FILE_TYPES.get(file.type if file else "") or _AIR_TYPES.get(model.type, "unknown")
    tail = f"+{file.id}" if with_file and file is not None else ""
    return f"urn:air:{_ECOSYSTEMS.get(version.base_model, 'other')}:{kind}:civitai:{model.id}@{version.id}{tail}"
