"""The files of a repository: Hugging Face's tree API, page by page.

`GET /api/models/{repo}/tree/{revision}/{path}?recursive=true`, paged by `Link` (huggingface_hub `hf_api.py`,
list_repo_tree; `utils/_pagination.py`). The commit comes from `/api/models/{repo}/revision/{revision}` first, so that
all pages and the files belong to one state of the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote

from ..errors import ServerError
from ..net.client import MAX_BODY_BYTES, HttpClient
from ..net.credentials import Credentials
from ..net.hosts import origin_of
from ..net.location import get_json, locate
from ..records.source import Digest, HuggingFaceSource

_MAX_FILES = 20_000
_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="?next"?')


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    """One file of a repository. `digest` is known of LFS and Xet files only."""

    path: str
    size_bytes: int | None
    digest: Digest | None
    scan: str | None = None


async def list_tree(
    client: HttpClient, endpoint: str, source: HuggingFaceSource, credentials: Credentials | None
) -> tuple[str, list[TreeFile]]:
    """Return the commit and all files below the source's folder. Raises: SourceError, ServerError."""
    base = f"{endpoint}/api/{source.repo_type.value}s/{source.repo_id}"
    revision = quote(source.revision or "main", safe="")
    info = await get_json(client, f"{base}/revision/{revision}", credentials=credentials)
    commit = info.get("sha") if isinstance(info, dict) else None
    if not isinstance(commit, str) or re.fullmatch(r"[0-9a-f]{40}", commit) is None:
        raise ServerError(f"`{source.repo_id}`: the answer names no commit", hint="it is tried again")
    folder = quote(source.filename.rstrip("/"))
    url: str | None = f"{base}/tree/{commit}{'/' if folder else ''}{folder}?recursive=true"
    files: list[TreeFile] = []
    seen: set[str] = set()
    while url is not None and url not in seen:
        seen.add(url)
        page = await locate(client, url, credentials=credentials, max_body_bytes=MAX_BODY_BYTES)
        files += _files(page.response.json())
        if len(files) > _MAX_FILES:
            raise ServerError(f"`{source.repo_id}` holds more than {_MAX_FILES} files", hint="name a folder of it")
        url = _next_page(page.headers.get("Link", ""), base)
    return commit, files


def select(files: Iterable[TreeFile], include: tuple[str, ...], exclude: tuple[str, ...]) -> list[TreeFile]:
    """Keep what a pattern of `include` matches (all, when there is none) and none of `exclude`.

    `*` also crosses `/`, and a pattern that ends in `/` takes the folder, as in `hf download`.
    """
    return [file for file in files if is_selected(file.path, include, exclude)]


def is_selected(path: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
    """Tell whether the patterns take a path."""
    return (not include or _matches(path, include)) and not _matches(path, exclude)


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, f"{pattern}*" if pattern.endswith("/") else pattern) for pattern in patterns)


def _next_page(link: str, base: str) -> str | None:
    match = _NEXT.search(link)
    if match is None or origin_of(match[1]) != origin_of(base):
        return None
    return match[1]


def _files(rows: object) -> list[TreeFile]:
    if not isinstance(rows, list):
        raise ServerError("Hugging Face's tree is no list", hint="it is tried again")
    return [_file(row) for row in rows if isinstance(row, dict) and row.get("type") == "file" and _is_path(row)]


def _is_path(row: dict[str, object]) -> bool:
    path = row.get("path")
    return isinstance(path, str) and path != "" and not any(part in {"", ".", ".."} for part in path.split("/"))


def _file(row: dict[str, object]) -> TreeFile:
    lfs = row.get("lfs")
    size = row.get("size")
    digest = None
    if isinstance(lfs, dict):
        size = lfs.get("size", size)
        oid = lfs.get("oid")
        digest = Digest("sha256", oid) if isinstance(oid, str) and re.fullmatch(r"[0-9a-f]{64}", oid) else None
    security = row.get("securityFileStatus") or row.get("security")
    scan = security.get("status") if isinstance(security, dict) else None
    return TreeFile(
        path=str(row["path"]),
        size_bytes=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        digest=digest,
        scan=scan if isinstance(scan, str) else None,
    )
