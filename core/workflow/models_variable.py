"""`COMFYSTOW_MODELS`: what a container is to hold, in one variable, as a list of references or the path of a manifest.

A list is separated by white space, commas or line ends; `FOLDER=REFERENCE` names the folder where the file does not.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import ManifestError
from .manifest import VERSION

VARIABLE = "COMFYSTOW_MODELS"
_MAX_CHARS = 64 << 10
_FILES = frozenset({".yaml", ".yml", ".lock", ".json", ".png", ".webp"})
_FOLDER = re.compile(r"([A-Za-z][\w.-]*)=(?=[a-z0-9+]+:|[0-9a-fA-F]{64}$)")


def models_of(text: str) -> Path | str:
    """Return the path that the variable names, else the text of a manifest of its references.

    Raises: ManifestError: it is empty or too long; a reference that cannot be used is told when the text is read.
    """
    words = [word for word in re.split(r"[\s,]+", text.strip()) if word]
    if not words or len(text) > _MAX_CHARS:
        raise ManifestError(f"{VARIABLE} {'is too long' if words else 'is empty'}", hint="name a manifest file in it")
    path = text.strip()
    if "://" not in path and Path(path).suffix.lower() in _FILES:
        return Path(path)
    return manifest_of_references(words)


def manifest_of_references(words: list[str]) -> str:
    """Return a manifest of references, each with its folder where one is written before it."""
    import yaml  # late: most commands need none

    rows: list[object] = []
    for word in words:
        match = _FOLDER.match(word)
        rows.append({"source": word[match.end() :], "folder": match[1]} if match is not None else word)
    return yaml.safe_dump({"version": VERSION, "models": rows}, sort_keys=False, allow_unicode=True, width=10_000)
