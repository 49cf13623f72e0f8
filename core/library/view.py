"""What callers see of the library: plain data; host paths only for callers on this machine."""

from __future__ import annotations

import os
from typing import Any

from ..net.secrets import scrub
from ..records.json import to_json
from ..records.library import LibraryFile, LibraryRoot, LibraryTotals, ScanReport
from .index.tables import shown
from .library import Progress


def printable(text: str | os.PathLike[str]) -> str:
    """Return a name that JSON and terminals take: bytes that are no text become a replacement character."""
    return shown(os.fsencode(text))


def root_name(root: LibraryRoot | LibraryFile) -> str:
    """Return what a root is called where host paths are not shown."""
    return root.folder_names[0] if isinstance(root, LibraryRoot) else root.folder_name


def file_json(file: LibraryFile, *, with_path: bool) -> dict[str, Any]:
    """Return one row of `GET /library`."""
    row: dict[str, Any] = {
        "id": file.id,
        "name": printable(file.name),
        "relative_path": printable(file.relative_path),
        "folder": file.folder_name,
        "belongs_in": file.belongs_in,
        "root": file.root_id,
        "kind": file.kind,
        "base_model": file.base_model,
        "precision": file.precision,
        "parameters": file.parameters,
        "size_bytes": file.size_bytes,
        "vram_bytes": file.vram_bytes,
        "sha256": file.sha256,
        "source": scrub(file.source) if file.source is not None else None,
        "verified": file.verified.value if file.verified is not None else None,
        "damaged": file.damaged,
        "available": file.available,
        "added_at": file.added_at,
        "last_used_at": file.last_used_at,
        "links": file.links,
    }
    if with_path:
        row["path"] = printable(file.path)
    return row


def details_json(file: LibraryFile, *, with_path: bool) -> dict[str, Any]:
    """Return all that is known of one file."""
    return {
        **file_json(file, with_path=with_path),
        "format": file.format,
        "alternatives": list(file.alternatives),
        "confidence": file.confidence,
        "base_model_version": file.base_model_version,
        "trigger_words": list(file.trigger_words),
        "modified_at": file.mtime_ns / 1e9,
        "symlink": file.symlink,
        "autov1": file.autov1,
        "autov2": file.autov2,
        "autov3": file.autov3,
        "blake3": file.blake3,
        "digest_origin": file.digest_origin.value if file.digest_origin is not None else None,
    }


def totals_json(totals: LibraryTotals, scanning: Progress | None) -> dict[str, Any]:
    """Return the totals of `GET /library`."""
    return {
        **to_json(totals),
        "scanning": None if scanning is None else {"done": scanning.done, "total": scanning.total or None},
    }


def report_json(report: ScanReport, *, with_paths: bool) -> dict[str, Any]:
    """Return a scan's report; without paths only the last part of each name is told."""
    data: dict[str, Any] = to_json(report)
    if not with_paths:
        for problem in data["problems"]:
            problem["path"] = problem["path"].rpartition("/")[2]
    return data
