"""A download as callers see it."""

from __future__ import annotations

from typing import Any

from ..records.download import Download
from ..records.json import to_json

_PRIVATE = ("dest_path", "session_id")


def eta_seconds(download: Download) -> float | None:
    """Return the seconds that are left at the present rate, None where that cannot be told."""
    rate = download.rate_bytes_per_second
    if not rate or download.bytes_total is None or not download.state.active:
        return None
    return max(0, download.bytes_total - download.bytes_done) / rate


def download_json(download: Download, *, with_paths: bool = False) -> dict[str, Any]:
    """Return the JSON of a download; paths of the server only for callers on this machine."""
    data: dict[str, Any] = to_json(download)
    data["eta_seconds"] = eta_seconds(download)
    if not with_paths:
        for name in _PRIVATE:
            del data[name]
    return data
