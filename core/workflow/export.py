"""What is missing as lines that people can copy: links, or `comfystow get` commands. Works on the `missing` shape."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ..records.workflow import Candidate, Confidence
from .knowledge import address_of


def export_lines(models: Iterable[Mapping[str, Any]], form: str) -> Iterator[str]:
    """Yield a line for each missing model that runs: its best `links` address, or the `get` command for it.

    A model without any source is a comment; one whose best source is not sure has that said before it.
    """
    for model in models:
        if model["state"] != "missing" or not model.get("active", True):
            continue
        best = model["candidates"][0] if model["candidates"] else None
        if best is None:
            yield f"# {_comment(model['name'])}: no source is known"
            continue
        if not Confidence(best["confidence"]).sure:
            yield f"# {_comment(model['name'])}, {best['confidence']}: {_comment(best['reason'])}"
        yield _link(best) if form == "links" else _get(best)


def _link(best: Mapping[str, Any]) -> str:
    candidate = Candidate(source=best["source"], confidence=Confidence.GUESS, reason="", url=best["url"])
    return address_of(candidate) or str(best["source"])


def _get(best: Mapping[str, Any]) -> str:
    """Return a command, quoted for a POSIX shell."""
    words = ["comfystow", "get", best["source"]]
    path = PurePosixPath(best["name"]) if best["name"] is not None else None
    if best["folder"] is not None:
        subfolder = path.parent.as_posix() if path is not None else "."
        words += ["--to", best["folder"] if subfolder == "." else f"{best['folder']}/{subfolder}"]
    if path is not None:
        words += ["--name", path.name]
    if best["sha256"] is not None:
        words += ["--sha256", best["sha256"]]
    return shlex.join(words)


def _comment(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)
