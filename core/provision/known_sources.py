"""Where files that are here came from, as far as the history of downloads knows; shared by manifest and `embed`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..net.secrets import scrub
from ..records.download import Download, DownloadState
from ..records.model import FolderLayout
from ..records.workflow import Candidate, Confidence, ModelStatus, Presence
from ..workflow.names import normalised
from ..workflow.write_manifest import ManifestLine
from .choice import sure_candidate


def known_sources(downloads: Iterable[Download]) -> dict[Path, Download]:
    """Return the completed downloads by their file, the newest of each; those whose link held a secret are left out."""
    found: dict[Path, Download] = {}
    rows = [row for row in downloads if row.state is DownloadState.COMPLETED and row.dest_path is not None]
    for row in sorted(rows, key=lambda row: row.finished_at or 0):
        if row.dest_path is not None and scrub(row.source) == row.source:
            found[Path(row.dest_path)] = row
    return found


def sha256_of_download(download: Download | None) -> str | None:
    """Return the hex digits that a download was verified by, None where none are known."""
    digest = download.digest if download is not None else None
    return digest.hex if digest is not None and digest.algorithm == "sha256" else None


def library_lines(layout: FolderLayout, downloads: Iterable[Download]) -> list[ManifestLine]:
    """Return the files of the library that are still where a download has put them, by folder and name."""
    lines = []
    for path, row in known_sources(downloads).items():
        folder = row.folder_name
        if folder is None or folder not in layout.folders:
            continue
        root = next((root for root in layout.folders[folder].directories if path.is_relative_to(root)), None)
        if root is None or not path.is_file() or path.stat().st_size != row.bytes_total:
            continue
        name = path.relative_to(root).as_posix()
        lines.append(ManifestLine(name=name, folder_name=folder, source=row.source, sha256=sha256_of_download(row)))
    return sorted(lines, key=lambda line: (line.folder_name or "", line.name))


def with_history(statuses: Iterable[ModelStatus], downloads: Iterable[Download]) -> list[ModelStatus]:
    """Return statuses in which the models that a download has put here name its source first."""
    known = known_sources(downloads)
    return [_remembered(status, known) for status in statuses]


def workflow_lines(statuses: Iterable[ModelStatus]) -> list[ManifestLine]:
    """Return a line for each model that runs, with its best sure source."""
    return [_line(status) for status in statuses if status.required.active]


def _remembered(status: ModelStatus, known: dict[Path, Download]) -> ModelStatus:
    row = known.get(Path(status.path)) if status.presence is Presence.PRESENT and status.path is not None else None
    if row is None:
        return status
    came_from = Candidate(
        source=row.source,
        confidence=Confidence.EXACT,
        reason="it was downloaded from there",
        folder_name=status.required.folder_name,
        name=normalised(status.required.name),
        size_bytes=row.bytes_total,
        sha256=sha256_of_download(row),
    )
    return replace(status, candidates=(came_from, *status.candidates))


def _line(status: ModelStatus) -> ManifestLine:
    best = sure_candidate(status)
    others = [f"{item.source} ({item.confidence})" for item in status.candidates[:2]]
    return ManifestLine(
        name=(best.name if best is not None else None) or status.required.name,
        folder_name=status.required.folder_name or (best.folder_name if best is not None else None),
        source=best.source if best is not None else None,
        sha256=best.sha256 if best is not None else None,
        note=f"no sure source; it could be {', '.join(others)}" if others else None,
    )
