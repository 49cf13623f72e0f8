"""Which model files no workflow of the user folder names: the first to look at when a disk is full."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import StowError
from ...records.library import LibraryFile
from ...records.model import FolderLayout
from ...workflow.load import load_document, workflow_files
from ...workflow.requirements import requirements
from ...workflow.status import LayoutInventory, model_statuses

_log = logging.getLogger("comfystow.library")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreferenced:
    """The files, how many workflows were read, and the names of those that could not be."""

    files: tuple[LibraryFile, ...]
    workflows: int
    unreadable: tuple[str, ...]


def workflow_folders(user_dir: Path) -> list[Path]:
    """Return where the users of a ComfyUI keep their workflows: `user/NAME/workflows` (0.3.75, app/user_manager.py)."""
    try:
        users = sorted(path for path in user_dir.iterdir() if path.is_dir() and not path.name.startswith("__"))
    except OSError:
        return []
    return [folder for user in users if (folder := user / "workflows").is_dir()]


def find_unreferenced(
    files: list[LibraryFile], folders: list[Path], layout: FolderLayout, node_inputs: Mapping[str, Mapping[str, str]]
) -> Unreferenced:
    """Return the files that no workflow in `folders` names, or has moved or renamed, muted nodes included.

    Reads every workflow: call it in a thread.
    """
    inventory = LayoutInventory(layout)
    named: set[tuple[int, int]] = set()
    read, unreadable = 0, []
    for path in _workflows(folders):
        try:
            needed = requirements(load_document(path), node_inputs)
        except StowError as err:
            _log.info("%s", err.message)
            unreadable.append(path.name)
            continue
        read += 1
        for status in model_statuses((*needed.models, *needed.inactive), inventory):
            if status.path is not None and (key := _identity(Path(status.path))) is not None:
                named.add(key)
    left = tuple(file for file in files if file.available and _identity(file.path) not in named)
    return Unreferenced(files=left, workflows=read, unreadable=tuple(unreadable))


def _workflows(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        try:
            yield from workflow_files(folder)
        except StowError as err:
            _log.warning("%s", err.message)


def _identity(path: Path) -> tuple[int, int] | None:
    """Hard links are one file: what names one of them holds all."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
