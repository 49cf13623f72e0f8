"""Where a pod's ComfyUI finds models and keeps its work: derived from ComfyUI's own folder names (pure).

    <volume>/models/<folder>/…      models; new ones go here
    <volume>/user  input  output    ComfyUI's own, kept across containers
    <volume>/custom_nodes           packs that lie there are loaded too

Models that an earlier template left elsewhere on the volume (`ComfyUI/models/…`, or folders at the top of it) are
listed where they are: nothing is copied or moved.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ...paths import NON_MODEL_FOLDERS
from ...records.model import LEGACY_FOLDERS, Folder, FolderLayout

_OLDER_HOMES = (PurePosixPath("ComfyUI"), PurePosixPath("comfyui"))
_OWN_FOLDERS = ("user", "input", "output")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLayout:
    """Folders of one ComfyUI: its own, and sections of `extra_model_paths.yaml` in the order they are read.

    A section is a base folder and, for each of ComfyUI's names, directories below it. The first is the default: what
    it lists stands before ComfyUI's own folders.
    """

    user: Path
    input: Path
    output: Path
    sections: tuple[tuple[str, Path, dict[str, tuple[str, ...]]], ...] = ()

    @property
    def yaml(self) -> str:
        """The text of `extra_model_paths.yaml` (JSON strings are YAML strings, whatever a path holds)."""
        lines = ["# Written by `comfystow pod up` at each start; changes do not last."]
        for place, (name, base, folders) in enumerate(self.sections):
            lines += [f"{name}:", f"  base_path: {json.dumps(str(base), ensure_ascii=False)}"]
            if place == 0:
                lines.append("  is_default: true")
            for folder, directories in folders.items():
                lines.append(f"  {json.dumps(folder)}: {json.dumps(chr(10).join(directories), ensure_ascii=False)}")
        return "\n".join(lines) + "\n"

    def seen_by_comfyui(self, own: FolderLayout) -> FolderLayout:
        """Return all folders as ComfyUI will list them with that file (`add_model_folder_path`, 0.3.75)."""
        folders = dict(own.folders)
        for place, (_, base, names) in enumerate(self.sections):
            for folder, directories in names.items():
                known = folders.get(folder, Folder(directories=()))
                for directory in directories:
                    path = base / directory
                    others = tuple(old for old in known.directories if old != path)
                    if place == 0:
                        known = replace(known, directories=(path, *others))
                    elif path not in known.directories:
                        known = replace(known, directories=(*known.directories, path))
                folders[folder] = known
        return replace(own, folders=folders)


def derive_layout(
    own: FolderLayout,
    volume: Path | None,
    local: Path,
    *,
    exists: Callable[[Path], bool],
    holds_models: Callable[[Path], bool],
) -> PodLayout:
    """Lay a pod out. `own` is what ComfyUI knows by itself; without a volume its folders of work go to `local`.

    Older places are listed only where models lie in them: a folder `diffusers` at the top may be anything.
    """
    if volume is None:
        return PodLayout(**{name: local / name for name in _OWN_FOLDERS})  # type: ignore[arg-type]
    names = _model_folders(own)
    models = {name: tuple(f"models/{part}" for part in parts) for name, parts in names.items()}
    if exists(volume / "custom_nodes"):
        models["custom_nodes"] = ("custom_nodes",)
    sections = [("comfystow", volume, models)]
    for number, (base, prefix) in enumerate([*((volume / home, "models/") for home in _OLDER_HOMES), (volume, "")]):
        found = {
            name: present
            for name, parts in names.items()
            if (present := tuple(f"{prefix}{part}" for part in parts if holds_models(base / f"{prefix}{part}")))
        }
        if found:
            sections.append((f"comfystow_older_{number}", base, found))
    return PodLayout(
        **{name: _own_folder(volume, name, exists) for name in _OWN_FOLDERS},
        sections=tuple(sections),
    )


def _own_folder(volume: Path, name: str, exists: Callable[[Path], bool]) -> Path:
    """Return the folder that an earlier template used, where ours is not there and its is."""
    ours = volume / name
    older = [volume / home / name for home in _OLDER_HOMES]
    return ours if exists(ours) else next((path for path in older if exists(path)), ours)


def _model_folders(own: FolderLayout) -> dict[str, tuple[str, ...]]:
    """Map ComfyUI's names to the directories that it has for them below its own models folder.

    The one that bears the folder's name comes last: of default paths ComfyUI puts the last one first.
    """
    names: dict[str, tuple[str, ...]] = {}
    for name, folder in own.folders.items():
        if name in NON_MODEL_FOLDERS or name in LEGACY_FOLDERS or own.base_path is None:
            continue
        base = own.base_path / "models"
        parts = [path.relative_to(base).as_posix() for path in folder.directories if path.is_relative_to(base)]
        if parts:
            names[name] = tuple(sorted(dict.fromkeys(parts), key=lambda part: part == name))
    return names
