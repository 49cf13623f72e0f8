"""Everything the three origins share: the catalogue, digests, tokens, settings and the signing of storage URLs."""

from __future__ import annotations

import hashlib
import hmac
import math
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from . import catalogue
from .blobs import Blob, DigestCache, Digests
from .content import Content
from .faults import Faults
from .journal import Journal

DEFAULT_SIGNATURE_SECONDS = 3600.0
MODIFIED = "Sat, 01 Mar 2025 10:00:00 GMT"


@dataclass(slots=True, kw_only=True)
class Stored:
    """An object of the storage: which file it is, and which site's storage holds it."""

    label: str
    blob: Blob
    bucket: str
    filename: str


@dataclass(slots=True, kw_only=True)
class Urls:
    """Where the three origins listen; known once they are bound."""

    hf: str = ""
    civitai: str = ""
    cdn: str = ""


@dataclass(slots=True, kw_only=True)
class Settings:
    """Switches that a test may turn; `reset` puts them back."""

    signature_seconds: float = DEFAULT_SIGNATURE_SECONDS
    tree_page_size: int = 1000
    tree_page_size_expanded: int = 50
    list_page_size: int = 1000
    # Send X-Xet-Hash and the xet-auth link, as the Hub does for most models today.
    xet_headers: bool = False
    # Which kinds of hash Civitai tells, separated by commas; old files have only some.
    civitai_hashes: str = "AutoV1,AutoV2,SHA256,CRC32,AutoV3"


@dataclass(slots=True)
class World:
    """The hub's whole state."""

    state: Path
    seed: int
    urls: Urls = field(default_factory=Urls)
    journal: Journal = field(default_factory=Journal)

    settings: Settings = field(init=False)
    faults: Faults = field(init=False)
    digest_cache: DigestCache = field(init=False)
    content: Content = field(init=False)
    repos: dict[tuple[str, str], catalogue.Repo] = field(init=False)
    renamed: dict[str, str] = field(init=False)
    civitai: list[catalogue.CivitaiModel] = field(init=False)
    objects: dict[str, Stored] = field(init=False)
    direct: dict[str, Blob] = field(init=False)
    generation: int = field(init=False, default=0)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        self.digest_cache = DigestCache(self.state / "digests.json")
        self.content = Content(self.state, self.seed)
        self.faults = Faults(self.seed)
        self.objects = {}
        self.reset()

    def reset(self) -> None:
        """Forget faults, requests, settings and everything that was added; the files at rest stay."""
        self.faults.clear()
        self.journal.clear()
        self.settings = Settings()
        self.generation = 0
        repos, self.renamed = catalogue.build_repos(self.content)
        self.repos = {(repo.kind, repo.repo_id): repo for repo in repos}
        self.civitai = catalogue.build_civitai(self.content)
        self.direct = {}

    def digests(self, blob: Blob) -> Digests:
        return self.digest_cache.of(blob)

    def repo(self, kind: str, repo_id: str) -> catalogue.Repo | None:
        return self.repos.get((kind, repo_id))

    def version(self, version_id: int) -> tuple[catalogue.CivitaiModel, catalogue.CivitaiVersion] | None:
        for model in self.civitai:
            for version in model.versions:
                if version.id == version_id:
                    return model, version
        return None

    def add_file(self, repo_id: str, path: str, blob: Blob, kind: str = "model") -> None:
        """Put a file into a repository's head commit, making the repository when it is new."""
        with self._lock:
            repo = self.repos.setdefault((kind, repo_id), catalogue.Repo(repo_id=repo_id, kind=kind))
            files = repo.files(repo.head) if repo.commits else {}
            repo.commit(f"Add {path}", files | {path: blob})

    def _signature(self, path: str, expires: str) -> str:
        key = f"{self.seed}:{self.generation}".encode()
        return hmac.new(key, f"{path}:{expires}".encode(), hashlib.sha256).hexdigest()

    def signed_url(self, path: str, stored: Stored) -> str:
        """Give a URL of the storage that works for a while.

        The names and units of the parameters are those of CloudFront and of S3 presigned URLs; the exact expiry in
        milliseconds, which short-lived tests need, hides in a field that is opaque to clients.
        """
        self.objects[path] = stored
        now = time.time()
        lifetime = self.faults.signature_seconds(stored.label) or self.settings.signature_seconds
        expires = str(int((now + lifetime) * 1000))
        signature = self._signature(path, expires)
        name = stored.filename
        disposition = f"attachment; filename=\"{ascii_name(name)}\"; filename*=UTF-8''{quoted(name)}"
        query = {"response-content-disposition": disposition}
        if stored.bucket == "r2":
            query |= {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": f"{expires}/auto/s3/aws4_request",
                "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)),
                "X-Amz-Expires": str(math.ceil(lifetime)),
                "X-Amz-SignedHeaders": "host",
                "X-Amz-Signature": signature,
            }
        else:
            query |= {"Expires": str(math.ceil(now + lifetime)), "Policy": expires}
            query |= {"Signature": signature, "Key-Pair-Id": "STOWKEY"}
        return f"{self.urls.cdn}{urllib.parse.quote(path)}?{urllib.parse.urlencode(query)}"

    def signature_state(self, path: str, expires: str | None, signature: str | None) -> str:
        """Judge a signed request: `valid`, `expired` or `wrong`."""
        if expires is None or signature is None or not expires.isdigit():
            return "wrong"
        if not hmac.compare_digest(self._signature(path, expires), signature):
            return "wrong"
        return "valid" if time.time() * 1000 < int(expires) else "expired"


def quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def ascii_name(name: str) -> str:
    return name.encode("ascii", "replace").decode().replace('"', "'").replace("?", "_")
