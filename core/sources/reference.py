"""From what a user pastes to a `Source`: pure, without asking anybody.

Forms: Hugging Face URLs and `hf://`, Civitai URLs, `civitai://` and AIR, object stores, plain HTTPS, a bare SHA-256.
What is none of them is refused with the forms that exist, and with the one that it nearly was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ..errors import InvalidReferenceError
from ..net.hosts import CIVITAI_HOSTS, HUGGINGFACE_HOSTS, origin_of
from ..net.secrets import redact
from ..records.source import (
    CivitaiSource,
    Digest,
    DigestSource,
    HuggingFaceSource,
    LocalSource,
    RepoType,
    Source,
    StoreSource,
    UrlSource,
)

FORMS = (
    "https://huggingface.co/OWNER/REPO/resolve/REVISION/FILE",
    "hf://OWNER/REPO[@REVISION]/FILE",
    "https://civitai.com/models/ID?modelVersionId=ID",
    "civitai://MODEL[@VERSION][?file=ID]",
    "urn:air:ECOSYSTEM:TYPE:civitai:MODEL@VERSION",
    "s3://BUCKET/KEY",
    "https://HOST/FILE",
    "64 hex digits of a SHA-256",
)

_MAX_LENGTH = 4096
_REPO_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_AIR = re.compile(
    r"urn:air:[a-z0-9_.-]+:(?P<type>[a-z0-9_.-]+):(?P<source>[a-z0-9_.-]+):"
    r"(?P<model>\d{1,12})(?:@(?P<version>\d{1,12})(?:\+(?P<file>\d{1,12}))?)?(?::[a-z0-9_.-]+)?(?:\.[a-z0-9]+)?"
)
_CIVITAI = re.compile(r"(?P<model>\d{1,12})?(?:@(?P<version>\d{1,12}))?")
_ID = re.compile(r"\d{1,12}")
_WANTED = ("format", "fp", "quantType", "size", "type")
_REPO_TYPES = {"datasets": RepoType.DATASET, "spaces": RepoType.SPACE, "models": RepoType.MODEL}


def parse_reference(
    text: str, *, hf_hosts: frozenset[str] = frozenset(), civitai_hosts: frozenset[str] = frozenset()
) -> Source:
    """Read a reference; the extra hosts are those of configured endpoints.

    Raises: InvalidReferenceError: says what it nearly was, and lists the forms.
    """
    trimmed = text.strip().strip("<>\"'`").strip()
    if not trimmed:
        raise _invalid(text, "it is empty")
    if len(trimmed) > _MAX_LENGTH:
        raise _invalid(text, f"it is longer than {_MAX_LENGTH} characters")
    if any(not char.isprintable() for char in trimmed):
        raise _invalid(text, "it holds a control character or a line break")
    scheme, colon, _ = trimmed.partition(":")
    scheme = scheme.lower()
    if scheme in {"http", "https"}:
        return _parse_url(trimmed, hf_hosts=HUGGINGFACE_HOSTS | hf_hosts, civitai_hosts=CIVITAI_HOSTS | civitai_hosts)
    if colon and scheme in _SCHEMES:
        return _SCHEMES[scheme](trimmed)
    if re.fullmatch(r"[0-9a-fA-F]{64}", trimmed):
        return _parse_digest(trimmed)
    raise _unknown(trimmed)


def _parse_digest(text: str) -> DigestSource:
    try:
        return DigestSource(digest=Digest.parse(text))
    except ValueError:
        raise _invalid(text, "a SHA-256 has 64 hex digits") from None


def _parse_hub(text: str) -> HuggingFaceSource:
    """`hf://[datasets/|spaces/]OWNER/REPO[@REVISION]/FILE`: the revision is percent-encoded, the file is literal."""
    rest = text.partition(":")[2]
    if not rest.startswith("//"):
        raise _invalid(text, "nearly a Hugging Face reference: write hf://OWNER/REPO/FILE")
    parts = rest[2:].split("/")
    repo_type = _REPO_TYPES.get(parts[0], RepoType.MODEL)
    if parts[0] in _REPO_TYPES:
        parts = parts[1:]
    if len(parts) < 2:
        raise _invalid(text, "nearly a Hugging Face reference: it needs OWNER/REPO")
    name, at, revision = parts[1].partition("@")
    tail = parts[2:]
    if at and revision == "refs" and len(tail) >= 2:  # refs/pr/3 and refs/convert/parquet, as the site writes them
        revision, tail = "/".join(["refs", *tail[:2]]), tail[2:]
    if at and not revision:
        raise _invalid(text, "nearly a Hugging Face reference: after @ stands a branch, tag or commit")
    return _hub_source(f"{parts[0]}/{name}", "/".join(tail), unquote(revision) or None, repo_type, text)


def _hub_source(repo_id: str, filename: str, revision: str | None, repo_type: RepoType, text: str) -> HuggingFaceSource:
    if not all(_REPO_PART.fullmatch(part) for part in repo_id.split("/")) or ".." in repo_id:
        raise _invalid(text, f"`{repo_id[:100]}` is no Hugging Face repository: it needs OWNER/REPO")
    if any(part in {".", ".."} for part in f"{filename}/{revision or ''}".split("/")):
        raise _invalid(text, "a file or revision cannot hold `..`")
    if "//" in filename or filename.startswith("/") or any(not char.isprintable() for char in filename):
        raise _invalid(text, "that is no path in a repository")
    return HuggingFaceSource(repo_id=repo_id, filename=filename, revision=revision, repo_type=repo_type)


def _parse_url(text: str, *, hf_hosts: frozenset[str], civitai_hosts: frozenset[str]) -> Source:
    url = quote(text, safe="%/:=&?~#+!$,;'@()*[]")
    origin = origin_of(url)
    if origin is None:
        hint = "it carries a user name or password" if "@" in url.split("?")[0] else "that is no proper URL"
        raise _invalid(text, hint)
    host = origin[1] if origin[2] in {80, 443} else f"{origin[1]}:{origin[2]}"
    if host in hf_hosts:
        return _parse_hub_url(url, text)
    if host in civitai_hosts:
        return _parse_civitai_url(url, text)
    if host == "civarchive.com":
        raise _invalid(text, "pages of CivArchive are not read; its ids are Civitai's: civitai://MODEL@VERSION")
    return UrlSource(url=_plain_file_url(url))


def _plain_file_url(url: str) -> str:
    """Turn GitHub's page of a file into the file (docs.github.com, "Viewing and understanding files": Raw)."""
    parts = urlsplit(url)
    if parts.hostname == "github.com" and (match := re.fullmatch(r"/([^/]+/[^/]+)/blob/(.+)", parts.path)):
        return f"https://github.com/{match[1]}/raw/{match[2]}"
    return url.partition("#")[0]


def _parse_hub_url(url: str, text: str) -> HuggingFaceSource:
    parts = [part for part in urlsplit(url).path.split("/") if part]
    repo_type = RepoType.MODEL
    if parts and parts[0] in _REPO_TYPES:
        repo_type, parts = _REPO_TYPES[parts[0]], parts[1:]
    if len(parts) < 2 or parts[0] == "api":
        raise _invalid(text, "nearly a Hugging Face link: it needs OWNER/REPO")
    repo_id, verb, rest = "/".join(map(unquote, parts[:2])), parts[2] if len(parts) > 2 else "", parts[3:]
    if verb == "":
        return _hub_source(repo_id, "", None, repo_type, text)
    if verb not in {"resolve", "blob", "raw", "tree"} or not rest:
        raise _invalid(text, "nearly a Hugging Face link: after OWNER/REPO comes /resolve/REVISION/FILE")
    count = 3 if unquote(rest[0]) == "refs" and len(rest) >= 3 else 1
    revision, filename = unquote("/".join(rest[:count])), unquote("/".join(rest[count:]))
    if verb == "tree" and filename:
        filename += "/"
    if verb != "tree" and not filename:
        raise _invalid(text, "nearly a Hugging Face link: the file's name is missing")
    return _hub_source(repo_id, filename, None if revision == "main" else revision, repo_type, text)


def _parse_civitai(text: str) -> CivitaiSource:
    rest = text.partition(":")[2]
    if not rest.startswith("//"):
        raise _invalid(text, "nearly a Civitai reference: write civitai://MODEL@VERSION")
    ids, _, query = rest[2:].partition("?")
    match = _CIVITAI.fullmatch(ids.rstrip("/"))
    if match is None or not ids.rstrip("/"):
        raise _invalid(text, "nearly a Civitai reference: MODEL and VERSION are numbers")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = {"file", *_WANTED}
    if unknown := sorted(set(options) - known):
        raise _invalid(
            text, f"a Civitai reference has no option `{unknown[0][:40]}`; known: {', '.join(sorted(known))}"
        )
    file = options.get("file")
    if file is not None and _ID.fullmatch(file) is None:
        raise _invalid(text, "nearly a Civitai reference: file is a number")
    return _civitai_source(match["model"], match["version"], file, options)


def _parse_civitai_url(url: str, text: str) -> CivitaiSource:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    path = parts.path.rstrip("/")
    file = options.get("fileId") or options.get("modelFileId")
    version = options.get("modelVersionId")
    if any(value is not None and _ID.fullmatch(value) is None for value in (file, version)):
        raise _invalid(text, "nearly a Civitai link: ids are numbers")
    if match := re.fullmatch(r"(?:/api/v1)?/models/(\d{1,12})(?:/[^/]*)?", path):
        return _civitai_source(match[1], version, file, options)
    if match := re.fullmatch(r"(?:/api/v1)?/model-versions/(?:mini/)?(\d{1,12})", path):
        return _civitai_source(None, match[1], file, options)
    if match := re.fullmatch(r"/api/download/models/(\d{1,12})", path):
        return _civitai_source(None, match[1], file, options)
    raise _invalid(text, "nearly a Civitai link: it needs /models/ID, /model-versions/ID or /api/download/models/ID")


def _civitai_source(model: str | None, version: str | None, file: str | None, options: dict[str, str]) -> CivitaiSource:
    return CivitaiSource(
        model_id=int(model) if model else None,
        version_id=int(version) if version else None,
        file_id=int(file) if file else None,
        wanted=() if file else tuple((name, options[name]) for name in _WANTED if options.get(name)),
    )


def _parse_air(text: str) -> CivitaiSource:
    """AIR with all four parts: the lenient forms of Civitai's own regex also take `foo:bar`."""
    match = _AIR.fullmatch(text)
    if match is None:
        raise _invalid(text, "nearly an AIR: write urn:air:ECOSYSTEM:TYPE:civitai:MODEL@VERSION, in lower case")
    if match["source"] != "civitai":
        raise _invalid(text, f"an AIR of `{match['source'][:40]}` is not supported, only of civitai")
    return _civitai_source(match["model"], match["version"], match["file"], {})


def _parse_store(text: str) -> Source:
    scheme, _, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme == "file":
        path = unquote(rest.removeprefix("//"))
        if not path.startswith("/"):
            raise _invalid(text, "nearly a local file: write file:///absolute/path")
        return LocalSource(path=path)
    bucket, _, key = rest.removeprefix("//").partition("/")
    if not rest.startswith("//") or not bucket or "@" in bucket:
        raise _invalid(text, f"nearly an object store reference: write {scheme}://BUCKET/KEY")
    if not key or key.endswith("/"):
        raise _invalid(text, f"nearly an object store reference: the key is missing in {scheme}://BUCKET/KEY")
    if any(part in {".", ".."} for part in key.split("/")):
        raise _invalid(text, "a key cannot hold `..`")
    return StoreSource(url=f"{scheme}://{bucket}/{key}")


def _unknown(text: str) -> InvalidReferenceError:
    scheme = text.partition(":")[0].lower()
    host = text.partition("/")[0].lower()
    if "://" in text:
        return _invalid(text, f"`{scheme[:20]}://` is not supported")
    if host in HUGGINGFACE_HOSTS | CIVITAI_HOSTS:
        return _invalid(text, f"nearly a link: put https:// before {host}")
    if re.fullmatch(r"[0-9a-fA-F]{32,128}", text):
        return _invalid(text, f"nearly a SHA-256: that has 64 hex digits, not {len(text)}")
    if re.fullmatch(r"[a-z0-9_.-]+:[a-z0-9_.-]+:[a-z]+:\d+(@\d+)?", text) or re.fullmatch(r"civitai:\d+.*", text):
        return _invalid(text, "nearly an AIR: put urn:air: before it, with all its parts")
    if text.isdigit():
        return _invalid(text, f"nearly a Civitai id: write civitai://{text[:12]}")
    if re.fullmatch(r"[\w.-]+/[\w.-]+(?:/.+)?", text):
        return _invalid(text, f"nearly a Hugging Face reference: write hf://{redact(text)[:100]}")
    return _invalid(text, "that is none of the forms")


def _invalid(text: str, reason: str) -> InvalidReferenceError:
    shown = "".join(char if char.isprintable() else "?" for char in redact(text.strip())[:120])
    return InvalidReferenceError(f"`{shown}` names no model: {reason}", hint="write one of: " + " · ".join(FORMS))


_SCHEMES: dict[str, Callable[[str], Source]] = {
    "hf": _parse_hub,
    "huggingface": _parse_hub,
    "civitai": _parse_civitai,
    "urn": _parse_air,
    "air": _parse_air,
    "s3": _parse_store,
    "gs": _parse_store,
    "az": _parse_store,
    "file": _parse_store,
    "sha256": _parse_digest,
}
