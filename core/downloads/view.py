"""A download as callers see it: no tokens, and no host paths unless they may see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..net.secrets import scrub
from ..records.download import Download
from ..records.json import to_json


def download_json(download: Download, *, with_paths: bool = False) -> dict[str, Any]:
    """Return the JSON of a download with `eta_seconds`; host paths only for callers on this machine."""
    data: dict[str, Any] = to_json(download)
    data["eta_seconds"] = eta_seconds(download)
    # A link that a user pastes can carry a token in its query.
    data["source"] = scrub(download.source)
    data["url"] = scrub(download.url) if download.url is not None else None
    data["request"]["source"] = scrub(download.request.source)
    if with_paths:
        return data
    for name in ("dest_path", "part_dir", "base_path", "session_id"):
        del data[name]
    data["note"] = _without_paths(download.note, download)
    if download.error is not None:
        data["error"]["message"] = _without_paths(download.error.message, download)
        data["error"]["hint"] = _without_paths(download.error.hint, download)
    return data


def name_of(download: Download) -> str:
    """Return what people and the log call a download; a link that was pasted loses its secrets."""
    return download.filename or scrub(download.source)


def eta_seconds(download: Download) -> float | None:
    """Return how long the rest takes at the present rate, None when that cannot be told."""
    rate, total = download.rate_bytes_per_second, download.bytes_total
    return max(0, total - download.bytes_done) / rate if rate and total is not None else None


def _without_paths(text: str | None, download: Download) -> str | None:
    """Put names in place of the paths of the destination; messages of the disk tell them."""
    if text is None or download.dest_path is None:
        return text
    dest = Path(download.dest_path)
    text = text.replace(str(dest), dest.name)
    for folder in filter(None, (download.part_dir, str(dest.parent))):
        text = text.replace(folder, download.folder_name or "the folder")
    return text
