"""Where files that are here came from, as far as index and history of downloads know; for manifests and `embed`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ...library.index.index import LibraryIndex
from ...net.secrets import scrub
from ...records.download import Download, DownloadState
from ...records.library import LibraryFile, LibraryFilter
from ...records.model import FolderLayout
from ...records.workflow import Candidate, Confidence, ModelStatus, Presence
from ...workflow.names import normalised
from ...workflow.write_manifest import ManifestLine
from .choice import sure_candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A source that gave a file; `sha256` None where it was never hashed."""

    source: str
    folder_name: str | None
    size_bytes: int | None
    sha256: str | None


class Origins:
    """What is known of where files came from. A source whose link held a secret is known to nobody."""

    def __init__(self, downloads: Iterable[Download], index: LibraryIndex) -> None:
        self._index = index
        self._downloads: dict[Path, Origin] = {}
        rows = [row for row in downloads if row.state is DownloadState.COMPLETED and row.dest_path is not None]
        for row in sorted(rows, key=lambda row: row.finished_at or 0):
            self._downloads[Path(row.dest_path or "")] = _of_download(row)

    def of(self, path: Path) -> Origin | None:
        """Return a file's origin, None for one that is unknown, or whose size is not what came from there."""
        origin = self._downloads.get(path)
        if origin is None:
            file = self._index.by_path(path)
            origin = _of_file(file) if file is not None else None
        try:
            fits = origin is not None and path.stat().st_size == origin.size_bytes
        except OSError:
            fits = False
        return origin if fits and origin is not None and scrub(origin.source) == origin.source else None

    def paths(self) -> list[Path]:
        """Return the files of which something is known."""
        files = [file.path for file in self._index.each(LibraryFilter()) if file.source is not None]
        return list(dict.fromkeys((*self._downloads, *files)))


def library_lines(layout: FolderLayout, origins: Origins) -> list[ManifestLine]:
    """Return the files of the library whose origin is known, by folder and name."""
    lines = []
    for path in origins.paths():
        origin = origins.of(path)
        place = _place(path, layout)
        if origin is not None and place is not None:
            folder, name = place
            lines.append(ManifestLine(name=name, folder_name=folder, source=origin.source, sha256=origin.sha256))
    return sorted(lines, key=lambda line: (line.folder_name or "", line.name))


def with_origins(statuses: Iterable[ModelStatus], origins: Origins) -> list[ModelStatus]:
    """Return statuses in which the models that are here name their origin first."""
    return [_remembered(status, origins) for status in statuses]


def workflow_lines(statuses: Iterable[ModelStatus]) -> list[ManifestLine]:
    """Return a line for each model that runs, with its best sure source."""
    return [_line(status) for status in statuses if status.required.active]


def _of_download(row: Download) -> Origin:
    sha256 = row.digest.hex if row.digest is not None and row.digest.algorithm == "sha256" else None
    return Origin(source=row.source, folder_name=row.folder_name, size_bytes=row.bytes_total, sha256=sha256)


def _of_file(file: LibraryFile) -> Origin | None:
    if file.source is None:
        return None
    return Origin(source=file.source, folder_name=file.folder_name, size_bytes=file.size_bytes, sha256=file.sha256)


def _place(path: Path, layout: FolderLayout) -> tuple[str, str] | None:
    for folder_name, folder in layout.folders.items():
        for root in folder.directories:
            if path.is_relative_to(root):
                return folder_name, path.relative_to(root).as_posix()
    return None


def _remembered(status: ModelStatus, origins: Origins) -> ModelStatus:
    here = status.presence is Presence.PRESENT and status.path is not None
    origin = origins.of(Path(status.path)) if here and status.path is not None else None
    if origin is None:
        return status
    came_from = Candidate(
        source=origin.source,
        confidence=Confidence.EXACT,
        reason="the file here came from there",
        folder_name=status.required.folder_name or origin.folder_name,
        name=normalised(status.required.name),
        size_bytes=origin.size_bytes,
        sha256=origin.sha256,
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
