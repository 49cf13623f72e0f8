"""Where passing files and the trash lie: on the file system of what they stand for, and in no loader's list.

<above the folders of models>/.comfystow/trash/<change>/<number>-NAME.trash
<beside a file that is being made>/.comfystow-<change>-<number>.part
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ...paths import NON_MODEL_FOLDERS
from ...records.model import FolderLayout

HIDDEN_FOLDER = ".comfystow"
_MOST_NAME_BYTES = 200


def hidden_place(layout: FolderLayout, directory: Path) -> Path:
    """Return the nearest folder at or above `directory` that ComfyUI lists nothing of, on the same file system.

    A volume that is mounted at the directory itself has no such place: there it is the directory.
    """
    listed = {Path(os.path.realpath(path)) for folder in layout.folders.values() for path in folder.directories}
    place = Path(os.path.realpath(directory))
    while any(place.is_relative_to(path) for path in listed) and place != place.parent:
        place = place.parent
    return place if _device(place) == _device(directory) else directory


def trash_place(layout: FolderLayout, path: Path, change_id: str, number: int) -> Path:
    """Return where a file of a models folder waits to be deleted or taken back.

    Its name ends otherwise: where the trash lies in a listed folder after all, no loader takes it for a model.
    """
    root = root_of(layout, path) or path.parent
    name = os.fsdecode(os.fsencode(path.name)[:_MOST_NAME_BYTES])
    return hidden_place(layout, root) / HIDDEN_FOLDER / "trash" / change_id / f"{number}-{name}.trash"


def holds_models(layout: FolderLayout, name: str, directory: Path) -> bool:
    """Tell whether models may be put there: never into ComfyUI's other folders, also by another name for one."""
    if name in NON_MODEL_FOLDERS:
        return False
    real = Path(os.path.realpath(directory))
    forbidden = [
        Path(os.path.realpath(root))
        for other in NON_MODEL_FOLDERS & layout.folders.keys()
        for root in layout.folders[other].directories
    ]
    return not any(real.is_relative_to(root) for root in forbidden)


def root_of(layout: FolderLayout, path: Path) -> Path | None:
    """Return the directory of a folder of models that holds a path, the longest one where they nest."""
    parent = Path(os.path.realpath(path.parent))
    found = [
        directory
        for name, folder in layout.folders.items()
        if name not in NON_MODEL_FOLDERS
        for directory in folder.directories
        if parent.is_relative_to(os.path.realpath(directory))
    ]
    return max(found, key=lambda directory: len(os.path.realpath(directory)), default=None)


def spares(layout: FolderLayout, change_id: str) -> Callable[[str, int], str]:
    """Return what names a passing file for a path and the number of its action."""
    places: dict[str, str] = {}
    all_listed = [
        Path(os.path.realpath(path))
        for folder in layout.folders.values()
        if not folder.suffixes - {""}
        for path in folder.directories
    ]

    def spare_of(path: str, number: int) -> str:
        parent = os.path.dirname(path)  # noqa: PTH120 - once a file of a plan of many thousands
        place = places.get(parent)
        if place is None:
            folder = Path(parent)
            if any(folder.is_relative_to(listed) for listed in all_listed):
                folder = hidden_place(layout, folder) / HIDDEN_FOLDER
            place = places[parent] = str(folder)
        return f"{place}/.comfystow-{change_id}-{number}.part"

    return spare_of


def _device(path: Path) -> int | None:
    existing = next((folder for folder in (path, *path.parents) if folder.exists()), None)
    return existing.stat().st_dev if existing is not None else None
