"""Where a model comes from, and what its source says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, urlencode

_DIGEST_HEX_LENGTHS = {
    "sha256": 64,
    "blake3": 64,
    "sha1": 40,
    "autov1": 8,
    "autov2": 10,
    "autov3": 12,
    "crc32": 8,
}


class RepoType(StrEnum):
    """The three kinds of repository on Hugging Face."""

    MODEL = "model"
    DATASET = "dataset"
    SPACE = "space"

    @property
    def url_prefix(self) -> str:
        """What stands before `owner/name` in a URL: empty for models."""
        return "" if self is RepoType.MODEL else f"{self.value}s/"


@dataclass(frozen=True, slots=True)
class Digest:
    """A content digest that carries its algorithm: `sha256:9f86…` (lower-case hex)."""

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        length = _DIGEST_HEX_LENGTHS.get(self.algorithm)
        if length is None or not re.fullmatch(f"[0-9a-f]{{{length}}}", self.hex):
            raise ValueError(f"not a digest: {self.algorithm}:{self.hex}")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `algorithm:hex`; bare 64 hex digits are SHA-256. Raises ValueError."""
        algorithm, _, digits = text.strip().lower().rpartition(":")
        return cls(algorithm or "sha256", digits)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceSource:
    """One file of a repository; `revision` None means the repository's default branch.

    A `filename` that is empty or ends in `/` names the repository or a folder of it, not a file.
    """

    repo_id: str
    filename: str
    revision: str | None = None
    repo_type: RepoType = RepoType.MODEL

    def __str__(self) -> str:
        # `refs/pr/1` is spelt as the site spells it; any other slash would read as the beginning of the path.
        safe = "/" if re.fullmatch(r"refs/[^/]+/[^/]+", self.revision or "") else ""
        revision = f"@{quote(self.revision, safe=safe)}" if self.revision else ""
        filename = f"/{self.filename}" if self.filename else ""
        return f"hf://{self.repo_type.url_prefix}{self.repo_id}{revision}{filename}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CivitaiSource:
    """One file of a model version; what is None is chosen when the source is resolved."""

    model_id: int | None = None
    version_id: int | None = None
    file_id: int | None = None
    wanted: tuple[tuple[str, str], ...] = ()
    """Civitai's own selectors (`type`, `format`, `size`, `fp`, `quantType`), sorted; moot with a `file_id`."""

    def __str__(self) -> str:
        version = f"@{self.version_id}" if self.version_id is not None else ""
        query = [("file", str(self.file_id))] if self.file_id is not None else list(self.wanted)
        tail = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return f"civitai://{self.model_id if self.model_id is not None else ''}{version}{tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSource:
    """Any HTTPS URL on an allowed host."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSource:
    """An object in an object store: `s3://bucket/key`, `gs://`, `az://`, `file://`."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSource:
    """A bare SHA-256, looked up in the library, the catalogues and the hubs."""

    digest: Digest

    def __str__(self) -> str:
        return str(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSource:
    """A file that is on this machine already."""

    path: str

    def __str__(self) -> str:
        return f"file:{quote(self.path)}"


Source = HuggingFaceSource | CivitaiSource | UrlSource | StoreSource | DigestSource | LocalSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedFile:
    """One file at its source, pinned as far as the source allows.

    `url` is the address at the source itself (a hub's resolve URL at a commit, an API download URL with `fileId`),
    never a signed one: signed addresses expire, and are asked for anew from `url`.
    """

    source: Source
    url: str
    filename: str
    size_bytes: int | None = None
    digest: Digest | None = None
    etag: str | None = None
    accepts_ranges: bool | None = None
    folder_hint: str | None = None
    base_model_hint: str | None = None
    page_url: str | None = None
    metadata: dict[str, object] = field(default_factory=dict)
    """What the source tells beside the bytes: trigger words, base model, licence, preview, scan results."""
