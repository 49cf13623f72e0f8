"""Which file of a Civitai version is meant, and what the site tells of it. Pure: JSON in, records out."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ..errors import AmbiguousSourceError, NotFoundError, ServerError
from ..records.source import Digest
from ..units import format_bytes
from .folders import SIDE_FILE_TYPES

# What the site's own download button prefers (civitai `src/server/utils/model-helpers.ts`, getPrimaryFile).
_PREFERRED = {"format": "SafeTensor", "size": "pruned", "fp": "fp16"}
_MAX_TEXT = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFile:
    """One file of a version. `about_size_bytes` is rounded by the site: not to be trusted to the byte."""

    id: int
    name: str
    type: str | None
    selectors: dict[str, str]
    primary: bool
    about_size_bytes: int | None
    sha256: Digest | None
    digest: Digest | None
    hashes: dict[str, str]
    scans: dict[str, str]

    def describe(self) -> str:
        """Say what a user chooses by."""
        traits = [self.type, *(self.selectors.get(name) for name in ("format", "size", "fp", "quantType"))]
        told = ", ".join(trait for trait in traits if trait)
        return f"?file={self.id} {self.name} ({told}, {format_bytes(self.about_size_bytes)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A model version as far as we use it."""

    id: int
    model_id: int | None
    name: str
    model_name: str | None
    model_type: str | None
    mode: str | None
    base_model: str | None
    usage_control: str | None
    trained_words: tuple[str, ...]
    preview_url: str | None
    licence: dict[str, object] | None
    """None where the answer does not tell: only a model's own does."""
    files: tuple[VersionFile, ...]


def read_version(data: Any, model: dict[str, Any] | None = None) -> Version:
    """Read a version; inside a model its own fields of the model are given apart. Raises: ServerError."""
    if not isinstance(data, dict) or _number(data.get("id")) is None:
        raise ServerError("Civitai's answer describes no version", hint="it is tried again")
    about = model if model is not None else data.get("model")
    about = about if isinstance(about, dict) else {}
    words = data.get("trainedWords")
    images = data.get("images")
    first = next((item for item in images if isinstance(item, dict)), {}) if isinstance(images, list) else {}
    files = data.get("files")
    return Version(
        id=int(data["id"]),
        model_id=_number(model.get("id") if model is not None else data.get("modelId")),
        name=_text(data.get("name")) or str(data["id"]),
        model_name=_text(about.get("name")),
        model_type=_text(about.get("type")),
        mode=_text(about.get("mode")),
        base_model=_text(data.get("baseModel")),
        usage_control=_text(data.get("usageControl")),
        trained_words=tuple(word[:_MAX_TEXT] for word in words[:100] if isinstance(word, str))
        if isinstance(words, list)
        else (),
        preview_url=_text(first.get("url")),
        licence=read_licence(model) if model is not None else None,
        files=tuple(
            _file(row)
            for row in (files if isinstance(files, list) else [])
            if isinstance(row, dict) and _number(row.get("id"))
        ),
    )


def read_licence(model: object) -> dict[str, object] | None:
    """Return what a model's creator allows (developer.civitai.com, "Models": the allow… fields), None when not told."""
    if not isinstance(model, dict) or not isinstance(model.get("allowNoCredit"), bool):
        return None
    uses = model.get("allowCommercialUse")
    return {
        "credit_required": not model["allowNoCredit"],
        "commercial_use": [use for use in uses if isinstance(use, str)][:10] if isinstance(uses, list) else [],
        "derivatives": model.get("allowDerivatives") is True,
        "other_licence": model.get("allowDifferentLicense") is True,
    }


def choose_file(version: Version, file_id: int | None, wanted: tuple[tuple[str, str], ...]) -> VersionFile:
    """Choose one file: by id, else by the selectors, else what the site's own button gives.

    Raises: NotFoundError: none fits; AmbiguousSourceError: several fit equally well, with the choices in the hint.
    """
    choices = " · ".join(file.describe() for file in version.files[:12]) or "none"
    if file_id is not None:
        found = next((file for file in version.files if file.id == file_id), None)
        if found is None:
            raise NotFoundError(f"version {version.id} has no file {file_id}", hint=f"its files: {choices}")
        return found
    fitting = [file for file in version.files if _fits(file, wanted)]
    if not fitting:
        told = ", ".join(f"{name} {value}" for name, value in wanted) or "any"
        raise NotFoundError(f"version {version.id} has no file with {told}", hint=f"its files: {choices}")
    best = _best(fitting)
    if len(best) > 1:
        raise AmbiguousSourceError(
            f"{len(best)} files of version {version.id} fit equally well",
            hint=f"add one of: {' · '.join(file.describe() for file in best[:12])}",
        )
    return best[0]


def _fits(file: VersionFile, wanted: tuple[tuple[str, str], ...]) -> bool:
    return all((file.type if name == "type" else file.selectors.get(name)) == value for name, value in wanted)


def _best(files: list[VersionFile]) -> list[VersionFile]:
    """Narrow down step by step: models before side files, no pickle, the primary one, the site's preferences."""
    steps: list[list[bool]] = [
        [file.type not in SIDE_FILE_TYPES for file in files],
        [file.selectors.get("format") != "PickleTensor" for file in files],
        [file.primary for file in files],
        *([file.selectors.get(name) == value for file in files] for name, value in _PREFERRED.items()),
    ]
    best = list(range(len(files)))
    for keeps in steps:
        best = [index for index in best if keeps[index]] or best
    return [files[index] for index in best]


def _file(row: dict[str, Any]) -> VersionFile:
    selectors, hashes, size = row.get("metadata"), row.get("hashes"), row.get("sizeKB")
    texts = (
        {name: value for name, value in hashes.items() if isinstance(value, str)} if isinstance(hashes, dict) else {}
    )
    hashes = {name.lower(): value.lower() for name, value in texts.items()}
    sha256 = hashes.get("sha256", "")
    return VersionFile(
        id=int(row["id"]),
        name=_text(row.get("name")) or "",
        type=_text(row.get("type")),
        selectors={str(name): value for name, value in selectors.items() if isinstance(value, str)}
        if isinstance(selectors, dict)
        else {},
        primary=row.get("primary") is True,
        about_size_bytes=round(size * 1024) if isinstance(size, int | float) and 0 <= size < 1e12 else None,
        sha256=Digest("sha256", sha256) if re.fullmatch(r"[0-9a-f]{64}", sha256) else None,
        digest=_digest(hashes),
        hashes=hashes,
        scans={name: value for name in ("pickleScanResult", "virusScanResult") if (value := _text(row.get(name)))},
    )


#: What proves a file best goes first. AutoV2 is the beginning of the SHA-256; AutoV3 and AutoV1 cover parts of it.
_PROOFS = ("sha256", "blake3", "autov2", "crc32", "autov3", "autov1")


def _digest(hashes: dict[str, str]) -> Digest | None:
    """Return the best of the site's hashes that can be computed here; old files have no SHA-256."""
    for name in _PROOFS:
        if name == "blake3" and find_spec("blake3") is None:
            continue
        with contextlib.suppress(ValueError):
            return Digest(name, hashes.get(name, ""))
    return None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text(value: object) -> str | None:
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None
