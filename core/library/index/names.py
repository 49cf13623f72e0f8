"""Names that will make trouble: reported by a scan, and indexed like any other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from ...records.library import ScanProblem
from .tables import joined, shown

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def odd_names(root: bytes, paths: list[bytes]) -> Iterable[ScanProblem]:
    """Report names that are no text or hold control characters, and such that differ by case alone (pure)."""
    joined = b"/".join(paths)
    if _CONTROL.search(joined) or not _is_text(joined):
        yield from (_problem("bad_name", root, path, reason) for path in paths if (reason := _odd(path)) is not None)
    if len({path.lower() for path in paths}) != len(paths):
        counts = Counter(path.lower() for path in paths)
        reason = "another name differs from it by case alone: Windows and macOS keep only one of them"
        yield from (_problem("case_twin", root, path, reason) for path in paths if counts[path.lower()] > 1)


def _odd(path: bytes) -> str | None:
    if _CONTROL.search(path):
        return "its name holds a control character"
    return None if _is_text(path) else "its name is no UTF-8: ComfyUI cannot name it in a workflow"


def _is_text(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _problem(code: str, root: bytes, path: bytes, reason: str) -> ScanProblem:
    return ScanProblem(code=code, path=shown(joined(root, path)), reason=reason)
