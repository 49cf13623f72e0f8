"""What is missing as lines that people can copy: links, or `comfystow get` commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

from ..records.workflow import Candidate, ModelStatus, Presence


def link_lines(statuses: Iterable[ModelStatus]) -> list[str]:
    """Return the best address of each missing model, one a line; `# name` for those without any."""
    return [
        f"# {_comment(status.required.name)}: no source is known" if best is None else best.url or best.source
        for status, best in _missing(statuses)
    ]


def get_lines(statuses: Iterable[ModelStatus]) -> list[str]:
    """Return a `comfystow get` command for each missing model, quoted for a POSIX shell."""
    lines = []
    for status, best in _missing(statuses):
        if best is None:
            lines.append(f"# {_comment(status.required.name)}: no source is known")
            continue
        words = ["comfystow", "get", best.source]
        if best.folder_name is not None:
            subfolder = PurePosixPath(best.name).parent.as_posix() if best.name is not None else "."
            words += ["--to", best.folder_name if subfolder == "." else f"{best.folder_name}/{subfolder}"]
        if best.name is not None:
            words += ["--name", PurePosixPath(best.name).name]
        if best.sha256 is not None:
            words += ["--sha256", best.sha256]
        lines.append(shlex.join(words))
    return lines


def _missing(statuses: Iterable[ModelStatus]) -> Iterable[tuple[ModelStatus, Candidate | None]]:
    for status in statuses:
        if status.presence is Presence.MISSING and status.required.active:
            yield status, status.candidates[0] if status.candidates else None


def _comment(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)
