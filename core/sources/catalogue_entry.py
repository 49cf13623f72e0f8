"""One known model, and the forms of lists it is read from: foreign data, of which what does not fit is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ..errors import InvalidReferenceError
from ..paths import NON_MODEL_FOLDERS, has_model_suffix
from ..records.model import canonical_folder
from ..records.source import CivitaiSource, HuggingFaceSource
from .reference import parse_reference

_MAX_TEXT = 2000
# ComfyUI-Manager's `type` where `save_path` is "default" (its glob/manager_server.py, model_dir_name_map).
_MANAGER_TYPES = {
    "checkpoints": "checkpoints",
    "checkpoint": "checkpoints",
    "unclip": "checkpoints",
    "text_encoders": "text_encoders",
    "clip": "text_encoders",
    "vae": "vae",
    "lora": "loras",
    "t2i-adapter": "controlnet",
    "t2i-style": "controlnet",
    "controlnet": "controlnet",
    "clip_vision": "clip_vision",
    "gligen": "gligen",
    "upscale": "upscale_models",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "unet": "diffusion_models",
    "diffusion_model": "diffusion_models",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A model that a list knows: `source` in its canonical spelling, `uses` how many templates link it."""

    name: str
    folder_name: str | None
    source: str
    url: str
    origin: str
    sha256: str | None = None
    size_bytes: int | None = None
    uses: int = 1
    aliases: tuple[str, ...] = ()


def read_list(data: object, origin: str) -> list[CatalogueEntry]:
    """Read a list: ours (`{"columns": […], "models": [[…]]}`), ComfyUI-Manager's, or plain rows of objects."""
    rows = data.get("models") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        return []
    columns = data.get("columns") if isinstance(data, dict) else None
    if isinstance(columns, list):
        rows = [dict(zip(columns, row, strict=False)) for row in rows if isinstance(row, list)]
    entries = (read_row(row, origin) for row in rows if isinstance(row, dict))
    return [entry for entry in entries if entry is not None]


def read_row(row: dict[str, object], origin: str) -> CatalogueEntry | None:
    """Read one model; None for what names no file that we could fetch."""
    url = _text(row.get("url"))
    name = _text(row.get("filename")) or _text(row.get("name"))
    if url is None or name is None:
        return None
    try:
        source = parse_reference(url)
    except InvalidReferenceError:
        return None
    if isinstance(source, HuggingFaceSource) and (not source.filename or source.filename.endswith("/")):
        return None
    base = PurePosixPath(name.replace("\\", "/")).name
    if not has_model_suffix(base):
        return None
    named_by_site = source.filename if isinstance(source, HuggingFaceSource) else unquote(urlsplit(url).path)
    aliases = row.get("aliases")
    names = [item for item in aliases if isinstance(item, str)] if isinstance(aliases, list) else []
    if not isinstance(source, CivitaiSource):
        names.append(PurePosixPath(named_by_site).name)
    return CatalogueEntry(
        name=base,
        folder_name=_folder(row),
        source=str(source),
        url=normalise_url(url),
        origin=origin,
        sha256=_sha256(row),
        size_bytes=_size(row.get("size_bytes")),
        uses=_count(row.get("uses", row.get("n_templates"))),
        aliases=tuple(dict.fromkeys(alias for alias in names if alias != base)),
    )


def walk_models(document: object) -> Iterator[dict[str, object]]:
    """Yield each `properties.models` row of a workflow's nodes, its subgraphs' too, without recursion."""
    waiting, seen = [document], 0
    while waiting and seen < 200_000:
        item = waiting.pop()
        seen += 1
        if isinstance(item, dict):
            properties = item.get("properties")
            models = properties.get("models") if isinstance(properties, dict) else None
            if isinstance(models, list):
                yield from (row for row in models if isinstance(row, dict))
            waiting += [item[key] for key in ("nodes", "definitions", "subgraphs") if key in item]
        elif isinstance(item, list):
            waiting += item


def normalise_url(url: str) -> str:
    """Return a list's URL in one spelling: Hugging Face's page of a file becomes the file, without its query."""
    parts = urlsplit(url.strip())
    if parts.hostname in {"huggingface.co", "www.huggingface.co", "hf.co"}:
        path = re.sub(r"^(/(?:datasets/|spaces/)?[^/]+/[^/]+)/(?:blob|raw)/", r"\1/resolve/", parts.path)
        return f"https://huggingface.co{path}"
    return url.strip().partition("#")[0]


def _folder(row: dict[str, object]) -> str | None:
    folder = _text(row.get("directory")) or _text(row.get("folder")) or _text(row.get("save_path"))
    if folder is None or folder == "default":
        return _MANAGER_TYPES.get((_text(row.get("type")) or "").lower())
    first = canonical_folder(folder.replace("\\", "/").split("/")[0])
    return first if first not in NON_MODEL_FOLDERS else None


def _sha256(row: dict[str, object]) -> str | None:
    text = _text(row.get("sha256"))
    if text is None and str(row.get("hash_type", "")).lower().replace("-", "") == "sha256":
        text = _text(row.get("hash"))
    return text.lower() if text is not None and re.fullmatch(r"[0-9a-fA-F]{64}", text) else None


def _size(value: object) -> int | None:
    """Read a size in bytes; a rounded text such as Manager's `4.71MB` is no size to hold a file against."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


def _text(value: object) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() and len(value) <= _MAX_TEXT else None
