"""The Hub's API: model info, trees, paths, refs, search, whoami.

Source: huggingface_hub `hf_api.py`: the request each method sends (model_info, list_repo_tree, get_paths_info,
list_repo_refs, list_models, whoami, auth_check) and the fields that ModelInfo, RepoSibling, RepoFile, RepoFolder and
GitRefs read; `utils/_pagination.py` for the Link header. Fields that none of them reads are not made up.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from typing import Any, Protocol

from . import catalogue, tokens
from .blobs import Blob
from .catalogue import Repo
from .replies import Header, Reply, Request, as_json
from .world import World
from .xet import token_reply, xet_hash

_INFO = re.compile(
    r"^/api/(model|dataset|space)s/([^/]+/[^/]+)(?:/(revision|tree|paths-info|refs|auth-check|xet-read-token)(?:/(.*))?)?$"
)
_LIST = re.compile(r"^/api/(model|dataset|space)s$")
CREATED = "2025-01-01T00:00:00.000Z"
CHANGED = "2025-03-01T10:00:00.000Z"


class Refusal(Protocol):
    def __call__(self, request: Request, repo: Repo | None, *, bytes_wanted: bool) -> Reply | None: ...


class HubApi:
    """Everything below `/api/` on the Hugging Face port."""

    def __init__(self, world: World, refusal: Refusal) -> None:
        self._world = world
        self._refusal = refusal

    def __call__(self, request: Request) -> Reply:
        if request.path == "/api/whoami-v2":
            return self._whoami(request)
        if match := _LIST.match(request.path):
            return self._list(request, match[1])
        match = _INFO.match(request.path)
        if match is None:
            return as_json({"error": "Sorry, we can't find the page you are looking for."}, 404)
        kind, repo_id, verb, rest = match.groups()
        if (new_id := self._world.renamed.get(repo_id)) is not None:
            location = request.target.replace(f"/{repo_id}", f"/{new_id}", 1)
            return as_json({"message": "Moved"}, 307, [("Location", location)])
        repo = self._world.repo(kind, repo_id)
        if (refused := self._refusal(request, repo, bytes_wanted=verb in ("auth-check", "xet-read-token"))) is not None:
            return refused
        assert repo is not None
        if verb == "auth-check":
            return as_json({})
        if verb == "refs":
            return as_json(_refs(repo))
        revision, path = _split(repo, rest or "main")
        sha = repo.resolve(revision)
        if sha is None:
            message = f"Invalid rev id: {revision}"
            return as_json(
                {"error": message}, 404, [("X-Error-Code", "RevisionNotFound"), ("X-Error-Message", message)]
            )
        if verb == "xet-read-token":
            return token_reply(self._world)
        if verb == "tree":
            return self._tree(request, repo, sha, path)
        if verb == "paths-info":
            return self._paths_info(request, repo, sha)
        return as_json(self._info(request, repo, sha))

    def _whoami(self, request: Request) -> Reply:
        names = {tokens.HF_TOKEN: "stow-reader", tokens.HF_TOKEN_NO_LICENCE: "stow-newcomer"}
        name = names.get(request.bearer or "")
        if name is None:
            message = "Invalid username or password."
            return as_json({"error": message}, 401, [("X-Error-Message", message)])
        token = {"displayName": "local hub", "role": "read", "createdAt": CREATED}
        auth = {"type": "access_token", "accessToken": token}
        return as_json({"type": "user", "id": name, "name": name, "fullname": name, "orgs": [], "auth": auth})

    def _list(self, request: Request, kind: str) -> Reply:
        wanted = (request.first("search") or "").lower()
        author = request.first("author")
        filters = set(request.query.get("filter", []))
        detailed = request.flag("full") or "expand" in request.query
        rows = [
            self._info(request, repo, repo.head) if detailed else self._summary(repo)
            for repo in self._world.repos.values()
            if repo.kind == kind
            and wanted in repo.repo_id.lower()
            and author in (None, repo.repo_id.split("/")[0])
            and filters <= set(repo.tags)
            and (not repo.private or request.bearer == tokens.HF_TOKEN)
        ]
        if (order := request.first("sort")) is not None:
            rows.sort(key=lambda row: row.get(order) or 0, reverse=True)
        size = min(int(request.first("limit") or 1000), self._world.settings.list_page_size)
        return self._page(request, rows, size)

    def _summary(self, repo: Repo) -> dict[str, Any]:
        identity = hashlib.sha256(repo.repo_id.encode()).hexdigest()[:24]
        return {
            "_id": identity,
            "id": repo.repo_id,
            "modelId": repo.repo_id,
            "private": repo.private,
            "likes": 7,
            "downloads": repo.downloads,
            "tags": list(repo.tags),
            "createdAt": CREATED,
        }

    def _info(self, request: Request, repo: Repo, sha: str) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = []
        for path, blob in sorted(repo.files(sha).items()):
            row: dict[str, Any] = {"rfilename": path}
            if request.flag("blobs"):
                entry = self._file_entry(path, blob)
                row |= {"size": blob.size, "blobId": entry["oid"]}
                if "lfs" in entry:
                    lfs = entry["lfs"]
                    row["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
            siblings.append(row)
        info = self._summary(repo) | {
            "author": repo.repo_id.split("/")[0],
            "sha": sha,
            "lastModified": CHANGED,
            "gated": repo.gated,
            "disabled": repo.disabled,
            "cardData": {"license": "mit", "tags": list(repo.tags)},
            "siblings": siblings,
        }
        wanted = request.query.get("expand")
        if wanted:
            return {name: info[name] for name in ("_id", "id", *wanted) if name in info}
        return info

    def _file_entry(self, path: str, blob: Blob, *, expand: bool = False) -> dict[str, Any]:
        digests = self._world.digests(blob)
        entry: dict[str, Any] = {"type": "file", "path": path, "size": blob.size, "oid": digests.git_sha1}
        if catalogue.is_lfs(path, blob):
            pointer = catalogue.lfs_pointer(digests.sha256, blob.size)
            entry["oid"] = _git_oid(pointer.encode())
            entry["lfs"] = {"oid": digests.sha256, "size": blob.size, "pointerSize": len(pointer)}
            if self._world.settings.xet_headers:
                entry["xetHash"] = xet_hash(digests.sha256)
        if expand:
            entry["lastCommit"] = {"id": _git_oid(path.encode()), "title": "Weights", "date": CHANGED}
            entry["securityFileStatus"] = {"status": "safe", "avScan": None, "pickleImportScan": None}
        return entry

    def _folder_entry(self, path: str, *, expand: bool = False) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "directory", "path": path, "size": 0, "oid": _git_oid(f"tree {path}".encode())}
        if expand:
            entry["lastCommit"] = {"id": _git_oid(path.encode()), "title": "Weights", "date": CHANGED}
        return entry

    def _tree(self, request: Request, repo: Repo, sha: str, path: str) -> Reply:
        prefix = f"{path.rstrip('/')}/" if path else ""
        files = {name: blob for name, blob in repo.files(sha).items() if name.startswith(prefix)}
        if prefix and not files:
            message = f'{path} does not exist on "{sha}"'
            return as_json({"error": message}, 404, [("X-Error-Code", "EntryNotFound"), ("X-Error-Message", message)])
        recursive, expand = request.flag("recursive"), request.flag("expand")
        folders: set[str] = set()
        shown: list[str] = []
        for name in files:
            parts = name[len(prefix) :].split("/")
            depth = len(parts) if recursive else min(2, len(parts))
            folders |= {prefix + "/".join(parts[:count]) for count in range(1, depth)}
            if recursive or len(parts) == 1:
                shown.append(name)
        rows = [self._folder_entry(name, expand=expand) for name in sorted(folders)]
        rows += [self._file_entry(name, files[name], expand=expand) for name in sorted(shown)]
        settings = self._world.settings
        return self._page(request, rows, settings.tree_page_size_expanded if expand else settings.tree_page_size)

    def _paths_info(self, request: Request, repo: Repo, sha: str) -> Reply:
        """Answer for single paths; a missing one is left out (huggingface_hub get_paths_info's docstring)."""
        if "json" in request.headers.get("Content-Type", ""):
            body = request.json()
            paths, expand = body["paths"], bool(body.get("expand"))
        else:
            form = urllib.parse.parse_qs(request.body.decode())
            paths, expand = form.get("paths", []), form.get("expand", ["false"])[0].lower() == "true"
        files = repo.files(sha)
        rows = []
        for path in paths:
            if path in files:
                rows.append(self._file_entry(path, files[path], expand=expand))
            elif any(name.startswith(f"{path}/") for name in files):
                rows.append(self._folder_entry(path, expand=expand))
        return as_json(rows)

    def _page(self, request: Request, rows: list[dict[str, Any]], size: int) -> Reply:
        start = int(request.first("cursor") or 0)
        headers: list[Header] = []
        if start + size < len(rows):
            query = {name: values for name, values in request.query.items() if name != "cursor"}
            link = urllib.parse.urlencode(query | {"cursor": [str(start + size)]}, doseq=True)
            headers.append(("Link", f'<{self._world.urls.hf}{request.path}?{link}>; rel="next"'))
        return as_json(rows[start : start + size], 200, headers)


def _split(repo: Repo, rest: str) -> tuple[str, str]:
    """Split `rev[/path]` where both are percent-encoded single segments, as the library sends them."""
    head, _, tail = rest.partition("/")
    revision = urllib.parse.unquote(head)
    if repo.resolve(revision) is None:
        decoded = urllib.parse.unquote(rest)
        for ref in repo.refs:
            for name in (ref, ref.removeprefix("refs/heads/")):
                if decoded == name or decoded.startswith(f"{name}/"):
                    return name, decoded[len(name) + 1 :]
    return revision, urllib.parse.unquote(tail)


def _refs(repo: Repo) -> dict[str, Any]:
    """List refs in the four groups of GitRefs."""
    groups: dict[str, list[dict[str, str]]] = {"branches": [], "tags": [], "converts": [], "pullRequests": []}
    for ref, sha in repo.refs.items():
        for prefix, group in (("refs/heads/", "branches"), ("refs/tags/", "tags"), ("refs/pr/", "pullRequests")):
            if ref.startswith(prefix):
                groups[group].append({"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": sha})
    return groups


def _git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
