"""The Civitai origin: downloads and pages; the API is in civitai_api.py.

Source: civitai/civitai at ebed6616, `src/pages/api/download/models/[modelVersionId].ts` and `getFileForModelVersion`
in `src/server/services/file.service.ts`.
"""

from __future__ import annotations

import re
import urllib.parse

from . import tokens
from .catalogue import CivitaiFile, CivitaiModel, CivitaiVersion
from .civitai_api import USERS, CivitaiApi, user_of
from .civitai_names import download_name, primary_file
from .replies import Header, Reply, Request, as_json, html, redirect, text
from .world import Stored, World

# src/server/common/constants.ts modelFileTypes.
FILE_TYPES = (
    "Model", "Text Encoder", "Pruned Model", "Negative", "Training Data", "VAE", "Config", "Archive", "UNet",
    "CLIPVision", "ControlNet", "Diffusion Model", "Vision Encoder", "Upscaler", "Workflow", "Enhancement LoRA", "Other",
)  # fmt: skip
# src/server/utils/request-helpers.ts isRequestFromBrowser: the user agent decides, not Accept.
_BROWSERS = ("mozilla", "chrome", "safari", "firefox", "opera", "edge")
_NO_STORE: list[Header] = [("Cache-Control", "no-store, max-age=0")]
_DOWNLOAD = re.compile(r"^/api/download/models/([^/]+)$")
_PAGE = re.compile(r"^/(?:(?:models|model-versions)/\d+(?:/.*)?|login)$")


class Civitai:
    """Application of the Civitai port."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._api = CivitaiApi(world)

    def __call__(self, request: Request) -> Reply:
        if match := _DOWNLOAD.match(request.path):
            reply = self._download(request, match[1])
            reply.headers += _NO_STORE
            return reply
        if request.path.startswith("/api/v1/") and (answer := self._api(request)) is not None:
            return answer
        return html(request.path) if _PAGE.match(request.path) else html("404", 404)

    def _download(self, request: Request, version_text: str) -> Reply:
        if request.method == "HEAD":
            # Seen by downloaders: HEAD answers 401 even with a good token; only GET can be trusted.
            return as_json({"error": "Unauthorized"}, 401)
        browser = any(word in (request.headers.get("User-Agent") or "").lower() for word in _BROWSERS)

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
        user = user_of(request)
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
