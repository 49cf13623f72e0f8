"""Files that say what is wanted, as the engine takes them (`POST /workflow/ensure`): manifests, locks, workflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ManifestError

MANIFESTS = frozenset({".yaml", ".yml"})
LOCK = ".lock"
_MAX_TEXT_BYTES = 4 << 20


def manifest_body(path: Path) -> dict[str, Any]:
    """Return a manifest with the workflows that it names, read beside it. Raises: ManifestError, WorkflowError."""
    from .load import load_document  # late: `sync` reads texts only, and starts sooner without these
    from .manifest import parse_manifest

    text = read_text(path)
    manifest = parse_manifest(text, path.name)  # told here with the file's own name, and its line
    named = {entry.workflow for entry in manifest.entries if entry.workflow is not None}
    return {"manifest": text, "documents": {name: load_document(path.parent / name) for name in sorted(named)}}


def read_text(path: Path) -> str:
    """Return the text of a manifest or lock. Raises: ManifestError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_TEXT_BYTES + 1)
    except OSError as err:
        raise ManifestError(f"`{path}` cannot be read: {err.strerror or err}", hint="check the path") from err
    if len(data) > _MAX_TEXT_BYTES:
        raise ManifestError(f"`{path}` is larger than {_MAX_TEXT_BYTES >> 20} MiB: no manifest is")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ManifestError(f"`{path}` is no text in UTF-8") from None
