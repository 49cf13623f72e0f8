"""Models as ComfyUI knows them: folder names, relative paths, and the layout of the folders on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

#: ComfyUI's old folder names (`folder_paths.map_legacy`).
LEGACY_FOLDERS = {"unet": "diffusion_models", "clip": "text_encoders"}


def canonical_folder(name: str) -> str:
    """Return ComfyUI's present name of a folder: `unet` is `diffusion_models`."""
    return LEGACY_FOLDERS.get(name, name)


@dataclass(frozen=True, slots=True)
class ModelRef:
    """ComfyUI's own pair: a folder name and the name a loader's combo lists, with `/` between parts."""

    folder_name: str
    relative_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One folder name: its directories in search order, and the suffixes that ComfyUI lists.

    An empty set of suffixes lists every file (`extra_model_paths.yaml` makes such folders).
    """

    directories: tuple[Path, ...]
    suffixes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLayout:
    """Where each folder name lives, as `folder_paths` told it."""

    folders: dict[str, Folder] = field(default_factory=dict)
    base_path: Path | None = None

    def destination(self, folder_name: str) -> Path | None:
        """Return the directory that takes new files, None for a name that is not there.

        The first whose basename equals the name, else the first: `diffusion_models` lists `models/unet` first
        (ComfyUI 0.3.75, folder_paths.py).
        """
        folder = self.folders.get(canonical_folder(folder_name))
        if folder is None or not folder.directories:
            return None
        name = canonical_folder(folder_name)
        return next((path for path in folder.directories if path.name == name), folder.directories[0])

    def find(self, ref: ModelRef) -> Path | None:
        """Return the file that a loader would open for the pair: the first hit in search order."""
        folder = self.folders.get(canonical_folder(ref.folder_name))
        if folder is None:
            return None
        relative = PurePosixPath(ref.relative_path.replace("\\", "/"))
        if relative.is_absolute() or ".." in relative.parts:
            return None
        return next((path for root in folder.directories if (path := root / relative).is_file()), None)
