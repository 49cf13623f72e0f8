"""The models that ComfyUI's installed workflow templates link, read from the packages' files; their code is not run.

Up to 0.7 the packages `comfyui_workflow_templates_media_*` hold `templates/*.json`; since then `…_json` does.
"""

from __future__ import annotations

import json
import logging
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from .catalogue_entry import CatalogueEntry, read_row, walk_models

_log = logging.getLogger("comfystow.catalogue")
_PREFIX = "comfyui_workflow_templates"
_MAX_FILE_BYTES = 8 << 20


def installed_templates() -> list[Path]:
    """Return the folders of the installed template packages."""
    folders: list[Path] = []
    for module in pkgutil.iter_modules():
        if not module.name.startswith(_PREFIX):
            continue
        spec = find_spec(module.name)
        folders += [Path(place) for place in (spec.submodule_search_locations if spec is not None else None) or ()]
    return folders


def read_templates(folders: Iterable[Path], origin: str = "ComfyUI's workflow templates") -> list[CatalogueEntry]:
    """Collect the models of all templates below the folders; `uses` counts the templates that link one."""
    found: dict[tuple[str, str | None, str], tuple[CatalogueEntry, int]] = {}
    for rows in _templates(folders):
        linked: dict[tuple[str, str | None, str], CatalogueEntry] = {}
        for row in rows:
            if (entry := read_row(row, origin)) is not None:
                linked.setdefault((entry.name, entry.folder_name, entry.source), entry)
        for key, entry in linked.items():
            known = found.get(key)
            better = known[0] if known is not None and known[0].sha256 is not None else entry
            found[key] = (better, 1 + (known[1] if known is not None else 0))
    return [replace(entry, uses=uses) for entry, uses in found.values()]


def _templates(folders: Iterable[Path]) -> Iterator[list[dict[str, object]]]:
    for path in sorted(file for folder in folders for file in folder.rglob("*.json")):
        try:
            data = path.read_bytes()
            if len(data) <= _MAX_FILE_BYTES and b'"directory"' in data:
                yield list(walk_models(json.loads(data)))
        except (OSError, ValueError, RecursionError) as err:
            _log.warning("template %s cannot be read: %s", path.name, err)
