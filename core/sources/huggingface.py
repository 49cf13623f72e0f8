"""Hugging Face: one file by one HEAD request, a repository by its tree.

A file is resolved by the headers of `/resolve/` (huggingface_hub `file_download.py`, get_hf_file_metadata):
`X-Repo-Commit` pins the revision, `X-Linked-Etag` is the SHA-256 of an LFS or Xet file, `X-Linked-Size` its size.
huggingface_hub itself is not called: it takes half a second to import, its HTTP library is another one in each of its
major versions (requests, httpx, httpx2), and none of them can be held to the addresses that the gate has checked.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import quote

from ..config import Settings
from ..errors import AmbiguousSourceError, EgressError, NotFoundError, StowError
from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..net.hosts import HUGGINGFACE_HOSTS, origin_of
from ..net.location import Location, locate
from ..paths import safe_component
from ..records.source import Digest, HuggingFaceSource, RepoType, ResolvedFile
from .folders import folder_of_path
from .hub_errors import hub_explainer
from .hub_tree import TreeFile, list_tree, select

_COMMIT = re.compile(r"[0-9a-f]{40}")


class HuggingFace:
    """Hugging Face or a mirror of it."""

    def __init__(self, client: HttpClient, settings: Settings) -> None:
        self._client = client
        self._endpoint = settings.hf_endpoint.rstrip("/")
        self._origin = origin_of(self._endpoint)
        self._offline = settings.hf_offline
        client.explainers.append(hub_explainer(self.is_own))

    def is_own(self, url: str) -> bool:
        """Tell whether a URL is of the site itself, not of its storage."""
        origin = origin_of(url)
        return origin is not None and (origin == self._origin or origin[1] in HUGGINGFACE_HOSTS)

    async def resolve(self, source: HuggingFaceSource, credentials: Credentials | None) -> ResolvedFile:
        """Find one file, pinned to a commit.

        Raises: AmbiguousSourceError: a repository or folder; AuthRequiredError, LicenceRequiredError, NotFoundError.
        """
        self._check_online()
        if not source.filename or source.filename.endswith("/"):
            raise await self._which(source, credentials)
        try:
            location = await self._head(self.url(source), credentials)
        except NotFoundError as err:
            raise await self._with_nearest(err, source, credentials) from err
        commit = location.header("X-Repo-Commit")
        if commit is None or _COMMIT.fullmatch(commit) is None:
            return self._resolved(source, location)  # a mirror that does not tell: unpinned, as the link was
        pinned = replace(source, revision=commit)
        if _may_hold_slash(source):
            pinned, location = await self._split_revision(source, commit, credentials)
        return self._resolved(pinned, location)

    async def list_files(
        self,
        source: HuggingFaceSource,
        credentials: Credentials | None,
        *,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
    ) -> list[ResolvedFile]:
        """List the files of a repository or folder, with digests, in one walk of its tree; patterns as in `hf`."""
        self._check_online()
        commit, files = await list_tree(self._client, self._endpoint, source, credentials)
        return [self._listed(source, commit, file) for file in select(files, include, exclude)]

    def url(self, source: HuggingFaceSource) -> str:
        """Return the address of a file at the site."""
        revision = quote(source.revision or "main", safe="")
        return f"{self._page(source)}/resolve/{revision}/{quote(source.filename)}"

    def _page(self, source: HuggingFaceSource) -> str:
        return f"{self._endpoint}/{source.repo_type.url_prefix}{source.repo_id}"

    def _check_online(self) -> None:
        if self._offline:
            raise EgressError("Hugging Face is switched off", hint="unset HF_HUB_OFFLINE to download")

    async def _head(self, url: str, credentials: Credentials | None) -> Location:
        return await locate(self._client, url, credentials=credentials, method="HEAD", stay=True)

    async def _with_nearest(
        self, error: NotFoundError, source: HuggingFaceSource, credentials: Credentials | None
    ) -> NotFoundError:
        """Name the files that were probably meant; the error stays as it is where the repository is what is missing."""
        from difflib import get_close_matches

        try:
            files = await self.list_files(replace(source, filename=""), credentials)
        except StowError:
            return error
        names = [str(file.metadata["path"]) for file in files]
        near = [name for name in names if name.rsplit("/", 1)[-1] == source.filename.rsplit("/", 1)[-1]]
        near += get_close_matches(source.filename, names, n=3, cutoff=0.75)
        if not near:
            return error
        return NotFoundError(
            error.message, hint=f"did you mean {' or '.join(f'`{name}`' for name in dict.fromkeys(near))}?"
        )

    async def _split_revision(
        self, source: HuggingFaceSource, commit: str, credentials: Credentials | None
    ) -> tuple[HuggingFaceSource, Location]:
        """Find which part of `feature/x/model.safetensors` is the branch: the site takes it, and does not say."""
        parts = source.filename.split("/")
        for count in range(len(parts)):
            pinned = replace(source, revision=commit, filename="/".join(parts[count:]))
            try:
                return pinned, await self._head(self.url(pinned), credentials)
            except NotFoundError:
                continue
        raise NotFoundError(f"`{source.repo_id}` has no `{source.filename[:120]}`", hint="check branch and file")

    def _resolved(self, source: HuggingFaceSource, location: Location) -> ResolvedFile:
        etag = (location.header("X-Linked-Etag") or "").removeprefix("W/").strip('"')
        size = location.header("X-Linked-Size") or ""
        is_lfs = re.fullmatch(r"[0-9a-f]{64}", etag) is not None
        return ResolvedFile(
            source=source,
            url=self.url(source),
            filename=safe_component(source.filename.rsplit("/", 1)[-1]),
            size_bytes=int(size) if size.isdigit() and len(size) < 20 else location.size_bytes,
            digest=Digest("sha256", etag) if is_lfs else None,
            accepts_ranges=True if location.headers.get("Accept-Ranges") == "bytes" else None,
            folder_hint=folder_of_path(source.filename) if source.repo_type is RepoType.MODEL else None,
            page_url=f"{self._page(source)}/blob/{quote(source.revision or 'main', safe='')}/{quote(source.filename)}",
        )

    def _listed(self, source: HuggingFaceSource, commit: str, file: TreeFile) -> ResolvedFile:
        pinned = replace(source, revision=commit, filename=file.path)
        return ResolvedFile(
            source=pinned,
            url=self.url(pinned),
            filename=safe_component(file.path.rsplit("/", 1)[-1]),
            size_bytes=file.size_bytes,
            digest=file.digest,
            folder_hint=folder_of_path(file.path),
            page_url=f"{self._page(source)}/blob/{commit}/{quote(file.path)}",
            metadata={"path": file.path, "scan": file.scan},
        )

    async def _which(self, source: HuggingFaceSource, credentials: Credentials | None) -> AmbiguousSourceError:
        files = [file for file in await self.list_files(source, credentials) if file.digest is not None]
        shown = ", ".join(str(file.metadata["path"]) for file in files[:8])
        more = f" and {len(files) - 8} more" if len(files) > 8 else ""
        return AmbiguousSourceError(
            f"`{source}` is a folder of {len(files)} model files", hint=f"name one, or use --include: {shown}{more}"
        )


def _may_hold_slash(source: HuggingFaceSource) -> bool:
    revision = source.revision
    return (
        revision is not None
        and "/" in source.filename
        and "/" not in revision
        and revision != "main"
        and _COMMIT.fullmatch(revision) is None
    )
