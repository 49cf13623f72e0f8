"""`models.lock`: exactly which bytes; one entry a file, sorted, the same text for the same entries on every machine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import ManifestError
from ..records.source import CivitaiSource, HuggingFaceSource
from ..sources.reference import parse_reference
from .manifest import VERSION, check_folder, check_relative, check_sha256, check_source, check_version
from .yaml_text import Part, read_yaml

_TOP = frozenset({"version", "models"})
_REQUIRED = ("source", "folder", "name", "size_bytes", "sha256")
_ENTRY = frozenset({*_REQUIRED, "kind", "base_model"})
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEntry:
    """One file: `source` pinned, `name` with its subfolder, `kind` and `base_model` None where nobody knows."""

    source: str
    folder_name: str
    name: str
    size_bytes: int
    sha256: str
    kind: str | None = None
    base_model: str | None = None


def write_lock(entries: Iterable[LockEntry]) -> str:
    """Return the text of a lock: sorted by folder and name, each file once.

    Raises: ManifestError: two different files want one place, or a source is not pinned.
    """
    import yaml

    places: dict[tuple[str, str], LockEntry] = {}
    for entry in entries:
        known = places.setdefault((entry.folder_name, entry.name), entry)
        if known.sha256 != entry.sha256:
            raise ManifestError(
                f"two different files want to be `{entry.folder_name}/{entry.name}`: {known.source} and {entry.source}",
                hint="give one of them another `name` or `subfolder`",
            )
        if (reason := why_not_pinned(entry.source)) is not None:
            raise ManifestError(f"`{entry.source}` is not pinned: {reason}")
    rows = [_row(places[place]) for place in sorted(places)]
    body = yaml.safe_dump({"models": rows}, sort_keys=False, allow_unicode=True, width=1_000, default_flow_style=False)
    return f"version: {VERSION}\n{body}"


def parse_lock(text: str, where: str = "models.lock") -> tuple[LockEntry, ...]:
    """Read and check a lock. Raises: ManifestError: names the file and the line."""
    root = read_yaml(text, where)
    fields = root.fields("a lock", _TOP)
    check_version(root, fields, "a lock")
    entries: list[LockEntry] = []
    taken: dict[tuple[str, str], int] = {}
    for part in fields["models"].items("`models`") if "models" in fields else ():
        entry = _entry(part)
        line = taken.setdefault((entry.folder_name, entry.name), part.line)
        if line != part.line:
            part.fail(f"`{entry.folder_name}/{entry.name}` stands in line {line} already")
        entries.append(entry)
    return tuple(entries)


def why_not_pinned(source: str) -> str | None:
    """Return why a reference may mean other bytes tomorrow, None when its source is as fixed as it can be."""
    parsed = parse_reference(source)
    if isinstance(parsed, HuggingFaceSource) and not _COMMIT.fullmatch(parsed.revision or ""):
        return "it needs a commit of 40 hex digits after @"
    if isinstance(parsed, CivitaiSource) and (parsed.version_id is None or parsed.file_id is None):
        return "it needs a version and a file: civitai://MODEL@VERSION?file=ID"
    return None


def _row(entry: LockEntry) -> dict[str, object]:
    return {
        "source": entry.source,
        "folder": entry.folder_name,
        "name": entry.name,
        "size_bytes": entry.size_bytes,
        "sha256": entry.sha256,
        "kind": str(entry.kind) if entry.kind is not None else None,  # an enumeration is no text for YAML
        "base_model": str(entry.base_model) if entry.base_model is not None else None,
    }


def _entry(part: Part) -> LockEntry:
    fields = part.fields("an entry", _ENTRY)
    for key in _REQUIRED:
        if key not in fields:
            part.fail(f"an entry needs `{key}`")
    source = check_source(fields["source"])
    if (reason := why_not_pinned(source)) is not None:
        fields["source"].fail(f"`{source}` is not pinned: {reason}", hint="write the lock again with `comfystow lock`")
    return LockEntry(
        source=source,
        folder_name=check_folder(fields["folder"]),
        name=check_relative(fields["name"], "`name`"),
        size_bytes=fields["size_bytes"].number("`size_bytes`"),
        sha256=check_sha256(fields["sha256"]),
        kind=_optional(fields, "kind"),
        base_model=_optional(fields, "base_model"),
    )


def _optional(fields: dict[str, Part], key: str) -> str | None:
    return fields[key].text(f"`{key}`") if key in fields and fields[key].value is not None else None
