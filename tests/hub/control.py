"""The hub's own routes, `/__hub__/...` on the Hugging Face port: how tests and the demo steer it."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

from . import tokens
from .blobs import BytesBlob
from .faults import KINDS, FaultError
from .replies import Reply, Request, as_json
from .wire import App
from .world import World


class Control:
    """Answers control routes itself and hands everything else to the site."""

    def __init__(self, world: World, site: App) -> None:
        self._world = world
        self._site = site

    def __call__(self, request: Request) -> Reply:
        if not request.path.startswith("/__hub__/"):
            return self._site(request)
        name = request.path.removeprefix("/__hub__/").replace("-", "_")
        handler = getattr(self, f"{request.method.lower()}_{name}", None)
        if handler is None:
            return as_json({"error": f"no such control route: {request.method} {request.path}"}, 404)
        try:
            return as_json(handler(request))
        except (FaultError, KeyError, TypeError, ValueError) as error:
            return as_json({"error": f"{type(error).__name__}: {error}"}, 400)

    def get_info(self, request: Request) -> Any:
        """Addresses, tokens and the kinds of fault."""
        known = {
            "hf": tokens.HF_TOKEN,
            "hf_no_licence": tokens.HF_TOKEN_NO_LICENCE,
            "civitai": tokens.CIVITAI_TOKEN,
            "civitai_buyer": tokens.CIVITAI_BUYER_TOKEN,
        }
        return {"urls": dataclasses.asdict(self._world.urls), "tokens": known, "fault_kinds": KINDS}

    def get_files(self, request: Request) -> Any:
        """Every file of every repository's head, with size; with `?digests=1` also its SHA-256 (hashes big ones)."""
        rows = []
        for repo in self._world.repos.values():
            for path, blob in repo.files(repo.head).items():
                row = {"kind": repo.kind, "repo_id": repo.repo_id, "path": path, "size": blob.size}
                if request.flag("digests"):
                    row["sha256"] = self._world.digests(blob).sha256
                rows.append(row)
        return rows

    def get_requests(self, request: Request) -> Any:
        return self._world.journal.requests(int(request.first("since") or 0))

    def delete_requests(self, request: Request) -> Any:
        self._world.journal.clear()
        return {}

    def get_counters(self, request: Request) -> Any:
        return self._world.journal.counters()

    def get_gauge(self, request: Request) -> Any:
        return self._world.journal.gauge()

    def get_faults(self, request: Request) -> Any:
        return self._world.faults.describe()

    def post_faults(self, request: Request) -> Any:
        body = request.json()
        specs = body if isinstance(body, list) else [body]
        return {"rule_ids": [self._world.faults.add(spec) for spec in specs]}

    def delete_faults(self, request: Request) -> Any:
        rule_id = request.first("rule_id")
        if rule_id is None:
            self._world.faults.clear()
        else:
            self._world.faults.remove(int(rule_id))
        return {}

    def get_settings(self, request: Request) -> Any:
        return dataclasses.asdict(self._world.settings)

    def post_settings(self, request: Request) -> Any:
        self._world.settings = dataclasses.replace(self._world.settings, **request.json())
        return dataclasses.asdict(self._world.settings)

    def post_revoke_signatures(self, request: Request) -> Any:
        """Refuse every storage URL handed out so far, as if its time had run out."""
        self._world.generation += 1
        return {}

    def post_licence(self, request: Request) -> Any:
        """Let a token read a gated repository, or take the licence away again (`accepted: false`)."""
        body = request.json()
        repo = self._world.repos["model", body["repo_id"]]
        change = repo.licensed_tokens.add if body.get("accepted", True) else repo.licensed_tokens.discard
        change(body.get("token", tokens.HF_TOKEN_NO_LICENCE))
        return {}

    def post_files(self, request: Request) -> Any:
        """Add a file: `data_base64`, or `size_bytes` and `seed` for a generated safetensors; into a repository
        (`repo_id`, `path`, `kind`), or with `direct` as a plain file of the storage port."""
        body = request.json()
        if "data_base64" in body:
            blob: Any = BytesBlob(base64.b64decode(body["data_base64"]))
        else:
            blob = self._world.content.generated(int(body["size_bytes"]), int(body.get("seed", 0)))
        row = {"size": blob.size}
        if body.get("digest", True):
            row["sha256"] = self._world.digests(blob).sha256
        if "direct" in body:
            self._world.direct[body["direct"]] = blob
            return row | {"url": f"{self._world.urls.cdn}/direct/{body['direct']}"}
        self._world.add_file(body["repo_id"], body["path"], blob, body.get("kind", "model"))
        return row | {"url": f"{self._world.urls.hf}/{body['repo_id']}/resolve/main/{body['path']}"}

    def post_reset(self, request: Request) -> Any:
        self._world.reset()
        return {}
