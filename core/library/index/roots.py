"""Which directories the library consists of: the real paths of the layout's folders, each once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ...paths import COMPANION_SUFFIXES, MODEL_SUFFIXES, NON_MODEL_FOLDERS, PICKLE_SUFFIXES
from ...records.model import FolderLayout

_SUFFIXES = MODEL_SUFFIXES | PICKLE_SUFFIXES
#: What folders of packs list beside models.
_NO_MODELS = COMPANION_SUFFIXES | {"", ".yaml", ".yml", ".md", ".py", ".png", ".jpg", ".jpeg", ".webp", ".mp4", ".csv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPlan:
    """One directory to scan: the folder names that look in it, and the suffixes of model files there."""

    path: Path
    folder_names: tuple[str, ...]
    suffixes: frozenset[str] = _SUFFIXES


def plan_roots(layout: FolderLayout) -> list[RootPlan]:
    """Return the roots of a layout; links and folder names that lead to one directory make one root.

    The first of its names is the one that the directory is called by, else the first that the layout has.
    """
    names: dict[Path, list[str]] = {}
    suffixes: dict[Path, frozenset[str]] = {}
    for name, folder in layout.folders.items():
        if name in NON_MODEL_FOLDERS:
            continue
        for directory in folder.directories:
            real = Path(os.path.realpath(directory))
            listed = names.setdefault(real, [])
            if name not in listed:
                listed.insert(0 if name in {directory.name, real.name} else len(listed), name)
            lower = frozenset(suffix.lower() for suffix in folder.suffixes)
            suffixes[real] = suffixes.get(real, _SUFFIXES) | (lower - _NO_MODELS)
    return [RootPlan(path=path, folder_names=tuple(listed), suffixes=suffixes[path]) for path, listed in names.items()]
