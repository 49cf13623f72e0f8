"""Write `models.yaml`: from what a workflow needs, or from the files of a library whose sources are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from .manifest import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestLine:
    """One file that is wanted; `note` becomes a comment where the source is not known (`source` None)."""

    name: str
    folder_name: str | None
    source: str | None
    sha256: str | None = None
    note: str | None = None


def write_manifest(lines: Iterable[ManifestLine], title: str) -> str:
    """Return the text of a manifest, in the order given; files without a known source stand in it as comments."""
    import yaml  # late: most commands need none

    rows: list[dict[str, str]] = []
    without: list[str] = []
    seen: set[tuple[str | None, str]] = set()
    for line in lines:
        if (line.folder_name, line.name) in seen:
            continue
        seen.add((line.folder_name, line.name))
        if line.source is None:
            without.append(f"# {_printable(line.folder_name or '?')}/{_printable(line.name)}: "
                           f"{_printable(line.note or 'no sure source is known')}")  # fmt: skip
            continue
        rows.append(_row(line, line.source))
    head = f"# {_printable(title)}\nversion: {VERSION}\n"
    body = yaml.safe_dump({"models": rows}, sort_keys=False, allow_unicode=True, width=10_000)
    return head + body + "".join(f"{text}\n" for text in without)


def _row(line: ManifestLine, source: str) -> dict[str, str]:
    path = PurePosixPath(line.name.replace("\\", "/"))
    row = {"source": source}
    if line.folder_name is not None:
        row["folder"] = line.folder_name
    if str(path.parent) != ".":
        row["subfolder"] = str(path.parent)
    row["name"] = path.name
    if line.sha256 is not None:
        row["sha256"] = line.sha256
    return row


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:300]
