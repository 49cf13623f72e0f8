"""The Hugging Face origin: resolve, its redirects and errors, and the pages that are not files.

Sources, unless a line names another: huggingface_hub 1.29/2.4 `file_download.py` (get_hf_file_metadata, which headers
are read from which hop), `utils/_http.py` (hf_raise_for_status: error codes; parse_ratelimit_headers),
`constants.py` (header names), and https://huggingface.co/docs/hub/rate-limits.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Sequence

from . import catalogue, tokens
from .blobs import Blob
from .catalogue import Repo
from .huggingface_api import HubApi
from .replies import Header, Reply, Request, as_json, file_reply, html, redirect, text
from .world import MODIFIED, Stored, World
from .xet import xet_hash

_KINDS = {"datasets": "dataset", "spaces": "space"}
_PATH = re.compile(r"^/(?:(datasets|spaces)/)?([^/]+/[^/]+)/(resolve|raw|blob|tree)/(.+)$")
_CACHE = re.compile(r"^/api/resolve-cache/(model|dataset|space)s/([^/]+/[^/]+)/([0-9a-f]{40})/(.+)$")
_PAGE = re.compile(r"^/(?:(datasets|spaces)/)?([^/]+/[^/]+)$")


class HuggingFace:
    """Application of the Hugging Face port."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._api = HubApi(world, self.refusal)

    def __call__(self, request: Request) -> Reply:
        reply = self._route(request)
        if "/resolve/" in request.path or request.path.startswith("/api/"):
            # On every reply of the Hub, not only on a 429 (hf_raise_for_status says so).
            bucket, quota = ("resolvers", 3000) if "/resolve" in request.path else ("api", 500)
            reply.set("RateLimit", f'"{bucket}";r={quota - 1};t=300')
            reply.set("RateLimit-Policy", f'"fixed window";"{bucket}";q={quota};w=300')
        return reply

    def _route(self, request: Request) -> Reply:
        if match := _CACHE.match(request.path):
            return self._resolve_cache(request, *match.groups())
        if request.path.startswith("/api/"):
            return self._api(request)
        if match := _PATH.match(request.path):
            prefix, repo_id, verb, rest = match.groups()
            return self._file(request, _KINDS.get(prefix, "model"), urllib.parse.unquote(repo_id), verb, rest)
        if match := _PAGE.match(request.path):
            prefix, repo_id = match.groups()
            known = self._world.repo(_KINDS.get(prefix, "model"), repo_id) is not None
            return html(repo_id if known else "404", 200 if known else 404)
        return html("404", 404)

    def refusal(self, request: Request, repo: Repo | None, *, bytes_wanted: bool) -> Reply | None:
        """Give the error for a repository that this caller may not see or read, or None.

        Without a token private, gated and missing repositories all answer 401; a gated repository shows its listing
        to everybody and its files to nobody without the licence.
        """
        token = request.bearer
        if token is not None and token not in (tokens.HF_TOKEN, tokens.HF_TOKEN_NO_LICENCE):
            return error(401, None, "Invalid credentials in Authorization header")
        if repo is None or (repo.private and token != tokens.HF_TOKEN):
            if token is None:
                return error(401, "RepoNotFound", "Invalid username or password.")
            return error(404, "RepoNotFound", "Repository not found")
        if repo.disabled:
            return error(403, None, "Access to this resource is disabled.")
        if bytes_wanted and repo.gated and (token is None or token not in repo.licensed_tokens):
            # Texts: LazySlide#52 (401); huggingface_hub GatedRepoError's example (403).
            what = f"Access to {repo.kind} {repo.repo_id} is restricted"
            if token is None:
                hint = "You must have access to it and be authenticated to access it. Please log in."
                return error(401, "GatedRepo", f"{what}. {hint}")
            hint = f"Visit https://huggingface.co/{repo.repo_id} to ask for access."
            return error(403, "GatedRepo", f"{what} and you are not in the authorized list. {hint}")
        return None

    def _file(self, request: Request, kind: str, repo_id: str, verb: str, rest: str) -> Reply:
        if (new_id := self._world.renamed.get(repo_id)) is not None:
            # A renamed repository: a relative redirect, to be followed with the token.
            target = request.target.replace(f"/{repo_id}/", f"/{new_id}/", 1)
            return redirect(target, 307)
        repo = self._world.repo(kind, repo_id)
        if verb in ("blob", "tree"):
            return html(f"{repo_id} at {rest}", 200 if repo is not None else 404)
        if (refused := self.refusal(request, repo, bytes_wanted=True)) is not None:
            return refused
        assert repo is not None
        sha, path = split_revision(repo, rest)
        if sha is None:
            revision = urllib.parse.unquote(rest.split("/")[0])
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        commit = ("X-Repo-Commit", sha)
        blob = repo.files(sha).get(path)
        if blob is None:
            return error(404, "EntryNotFound", "Entry not found", [commit])
        label = f"{repo_id}/{path}"
        if verb == "raw":
            return self._raw(blob, path, commit)
        if not catalogue.is_lfs(path, blob):
            # Small files: a relative redirect to a cacheable address (huggingface/swift-transformers#209).
            etag = f'"{self._world.digests(blob).git_sha1}"'
            query = urllib.parse.urlencode({request.path: "", "etag": etag})
            target = f"/api/resolve-cache/{kind}s/{repo_id}/{sha}/{urllib.parse.quote(path)}?{query}"
            reply = redirect(target, 307, [commit, ("Accept-Ranges", "bytes")])
            reply.file = label
            return reply
        return self._to_storage(request, repo, sha, path, blob)

    def _to_storage(self, request: Request, repo: Repo, sha: str, path: str, blob: Blob) -> Reply:
        digests = self._world.digests(blob)
        etag = f'"{digests.sha256}"'
        commit = ("X-Repo-Commit", sha)
        if request.headers.get("If-None-Match") == etag:
            # huggingface/huggingface.js#1713: resolve answers 304.
            return Reply(status=304, headers=[("ETag", etag), commit])
        target = self._world.signed_url(*self._object(repo, path, blob))
        headers = [
            commit,
            ("X-Linked-Size", str(blob.size)),
            ("X-Linked-ETag", etag),
            ("Accept-Ranges", "bytes"),
            ("Vary", "Accept"),
        ]
        if self._world.settings.xet_headers:
            # huggingface_hub utils/_xet.py parse_xet_file_data_from_response.
            route = f"{self._world.urls.hf}/api/{repo.kind}s/{repo.repo_id}/xet-read-token/{sha}"
            headers += [("X-Xet-Hash", xet_hash(digests.sha256)), ("Link", f'<{route}>; rel="xet-auth"')]
        reply = redirect(target, 302, headers)
        reply.file = f"{repo.repo_id}/{path}"
        return reply

    @staticmethod
    def _object(repo: Repo, path: str, blob: Blob) -> tuple[str, Stored]:
        stored = Stored(
            label=f"{repo.repo_id}/{path}", blob=blob, bucket="cloudfront", filename=path.rsplit("/", 1)[-1]
        )
        folder, key = (hashlib.sha256(name.encode()).hexdigest() for name in (repo.repo_id, stored.label + blob.key))
        return f"/xet-bridge-us/{folder[:24]}/{key}", stored

    def objects(self) -> dict[str, Stored]:
        """List everything in the Hub's storage."""
        return dict(
            self._object(repo, path, blob)
            for repo in list(self._world.repos.values())
            for _, files in repo.commits
            for path, blob in files.items()
            if catalogue.is_lfs(path, blob)
        )

    def _resolve_cache(self, request: Request, kind: str, repo_id: str, sha: str, path: str) -> Reply:
        repo = self._world.repo(kind, repo_id)
        if (refused := self.refusal(request, repo, bytes_wanted=True)) is not None:
            return refused
        assert repo is not None
        path = urllib.parse.unquote(path)
        blob = repo.files(sha).get(path) if repo.resolve(sha) else None
        if blob is None:
            return error(404, "EntryNotFound", "Entry not found")
        headers = [("X-Repo-Commit", sha), ("Content-Disposition", f'inline; filename="{path.rsplit("/", 1)[-1]}"')]
        etag = f'"{self._world.digests(blob).git_sha1}"'
        return file_reply(request, blob, file=f"{repo_id}/{path}", etag=etag, modified=MODIFIED, headers=headers)

    def _raw(self, blob: Blob, path: str, commit: Header) -> Reply:
        if catalogue.is_lfs(path, blob):
            return text(catalogue.lfs_pointer(self._world.digests(blob).sha256, blob.size), headers=[commit])
        return text(b"".join(blob.chunks(0, blob.size)).decode(), headers=[commit])


def split_revision(repo: Repo, rest: str) -> tuple[str | None, str]:
    """Split `rev/path`: a revision is one percent-encoded segment, or a known ref with slashes in it."""
    head, _, tail = rest.partition("/")
    if (sha := repo.resolve(urllib.parse.unquote(head))) is not None:
        return sha, urllib.parse.unquote(tail)
    decoded = urllib.parse.unquote(rest)
    for ref in repo.refs:
        for name in (ref, ref.removeprefix("refs/heads/"), ref.removeprefix("refs/tags/")):
            if decoded.startswith(f"{name}/"):
                return repo.refs[ref], decoded.removeprefix(f"{name}/")
    return None, ""


def error(status: int, code: str | None, message: str, headers: Sequence[Header] = ()) -> Reply:
    """Make an error with the Hub's headers and JSON body."""
    rows = [("X-Error-Message", message), *headers]
    if code is not None:
        rows.insert(0, ("X-Error-Code", code))
    if status == 401:
        rows.append(("WWW-Authenticate", 'Bearer realm="Authentication required", charset="UTF-8"'))
    return as_json({"error": message}, status, rows)
