"""What of the required models is there: exactly, moved or renamed, or missing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from ..paths import has_model_suffix
from ..records.model import FolderLayout, ModelRef
from ..records.workflow import Confidence, ModelStatus, Presence, RequiredModel
from .names import NameIndex, basename

#: Files of one folder that are looked at for near names; a library beyond it is asked through its index.
_MAX_FILES = 100_000
#: ComfyUI looks for an embedding under these when its name has no suffix (0.3.75, comfy/sd1_clip.py, load_embed).
_TAG_SUFFIXES = (".safetensors", ".pt", ".bin")
_TAG_FOLDERS = frozenset({"embeddings", "loras"})


class Inventory(Protocol):
    """What is on disk: the layout itself (`LayoutInventory`), or the library's index."""

    def find(self, folder_name: str, name: str) -> Path | None:
        """Return the file a loader would open for exactly this name."""

    def names(self, folder_name: str) -> Sequence[str]:
        """Return the relative names of a folder's files, with `/` between parts."""

    def folder_names(self) -> Sequence[str]:
        """Return the folders there are."""

    def by_sha256(self, sha256: str) -> Sequence[ModelRef]:
        """Return the files that are known to have this digest."""


class LayoutInventory:
    """The folders as they are on disk now; digests are unknown to it. Listings are kept for its lifetime."""

    def __init__(self, layout: FolderLayout) -> None:
        self._layout = layout
        self._names: dict[str, tuple[str, ...]] = {}

    def find(self, folder_name: str, name: str) -> Path | None:
        """Return the first hit in search order; a loader on this system must find it under this very spelling."""
        if "\\" in name and os.sep != "\\":
            return None
        return self._layout.find(ModelRef(folder_name, name))

    def names(self, folder_name: str) -> Sequence[str]:
        """Walk the folder's directories once, links to folders included, as ComfyUI's own listing does."""
        if folder_name not in self._names:
            folder = self._layout.folders.get(folder_name)
            roots = folder.directories if folder is not None else ()
            self._names[folder_name] = tuple(dict.fromkeys(name for root in roots for name in _walk(root)))
        return self._names[folder_name]

    def folder_names(self) -> Sequence[str]:
        """Return the layout's folders."""
        return tuple(self._layout.folders)

    def by_sha256(self, sha256: str) -> Sequence[ModelRef]:  # noqa: ARG002 - the layout alone knows no digests
        """Return nothing: the layout alone knows no digests."""
        return ()


def model_statuses(required: Iterable[RequiredModel], inventory: Inventory) -> list[ModelStatus]:
    """Return for each model whether it is there, near or missing; candidates are added by `candidates.find`."""
    indexes: dict[str, NameIndex] = {}
    return [_status(model, inventory, indexes) for model in required]


def _status(model: RequiredModel, inventory: Inventory, indexes: dict[str, NameIndex]) -> ModelStatus:
    path = _exact(model, inventory)
    if path is not None:
        return ModelStatus(required=model, presence=Presence.PRESENT, path=str(path))
    for ref in _same_bytes(model, inventory):
        if (found := inventory.find(ref.folder_name, ref.relative_path)) is not None:
            return _near(model, ref.relative_path, found, Confidence.EXACT, "the same bytes under another name")
    if model.folder_name is not None:
        if model.folder_name not in indexes:
            indexes[model.folder_name] = NameIndex(inventory.names(model.folder_name))
        near = indexes[model.folder_name].nearest(model.name)
        found = inventory.find(model.folder_name, near.name) if near is not None else None
        if near is not None and found is not None:
            return _near(model, near.name, found, near.confidence, near.reason)
    return ModelStatus(required=model, presence=Presence.MISSING)


def _same_bytes(model: RequiredModel, inventory: Inventory) -> list[ModelRef]:
    """Return the files with the model's digest that its loader lists; first the one that only moved."""
    if model.sha256 is None:
        return []
    refs = [
        ref for ref in inventory.by_sha256(model.sha256) if ref.folder_name == (model.folder_name or ref.folder_name)
    ]
    return sorted(refs, key=lambda ref: basename(ref.relative_path) != basename(model.name))


def _near(model: RequiredModel, name: str, path: Path, confidence: Confidence, reason: str) -> ModelStatus:
    return ModelStatus(
        required=model,
        presence=Presence.NEAR,
        path=str(path),
        near_name=name,
        near_confidence=confidence,
        near_reason=reason,
    )


def _exact(model: RequiredModel, inventory: Inventory) -> Path | None:
    folders = [model.folder_name] if model.folder_name is not None else inventory.folder_names()
    for folder in folders:
        for name in _spellings(model.name, folder):
            if (path := inventory.find(folder, name)) is not None:
                return path
    return _tagged(model, inventory)


def _tagged(model: RequiredModel, inventory: Inventory) -> Path | None:
    """Find what a `<lora:NAME>` means: the packs that read it look for the name in every subfolder, without suffix."""
    if model.folder_name != "loras" or has_model_suffix(model.name):
        return None
    wanted = basename(model.name).lower()
    names = inventory.names(model.folder_name)
    found = next((name for name in names if PurePosixPath(name).stem.lower() == wanted), None)
    return inventory.find(model.folder_name, found) if found is not None else None


def _spellings(name: str, folder: str) -> tuple[str, ...]:
    if folder in _TAG_FOLDERS and PurePosixPath(name).suffix.lower() not in _TAG_SUFFIXES:
        return (name, *(name + suffix for suffix in _TAG_SUFFIXES))
    return (name,)


def _walk(root: Path) -> Iterable[str]:
    count = 0
    seen: set[tuple[int, int]] = set()
    _first_visit(root, seen)
    for directory, subfolders, files in os.walk(root, followlinks=True):
        subfolders[:] = [name for name in subfolders if _first_visit(Path(directory) / name, seen)]
        for file in files:
            count += 1
            if count > _MAX_FILES:
                return
            yield (Path(directory) / file).relative_to(root).as_posix()


def _first_visit(path: Path, seen: set[tuple[int, int]]) -> bool:
    """Tell whether a folder is met for the first time: links may lead back to where the walk came from."""
    try:
        stat = path.stat()
    except OSError:
        return False
    key = (stat.st_dev, stat.st_ino)
    if path.name.startswith(".") or key in seen:
        return False
    seen.add(key)
    return True
