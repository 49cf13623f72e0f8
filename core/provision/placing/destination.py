"""Where a file goes: the folder, the directory that takes new files, and a name that may be used."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ...downloads.placement import Placement
from ...errors import FolderUnknownError, ForbiddenTypeError, UnknownFolderError
from ...headers.pickles import SCANNER, can_scan
from ...library.changes.ground import HIDDEN_FOLDER, hidden_place, holds_models
from ...paths import (
    COMPANION_SUFFIXES,
    MODEL_SUFFIXES,
    NON_MODEL_FOLDERS,
    PICKLE_SUFFIXES,
    RelativePath,
    join_within,
    safe_relative,
)
from ...records.download import DownloadRequest
from ...records.model import FolderLayout, canonical_folder
from ...records.source import ResolvedFile


def check_request(request: DownloadRequest, layout: FolderLayout, *, allow_pickle: bool) -> None:
    """Refuse what can be refused before the source is asked.

    Raises: UnknownFolderError, InvalidNameError, ForbiddenTypeError.
    """
    root = _directory(request.folder_name, layout) if request.folder_name is not None else None
    relative = safe_relative(request.filename) if request.filename is not None else None
    if relative is not None:
        check_suffix(relative.name, request.folder_name, allow_pickle=allow_pickle)
    subfolder = safe_relative(request.subfolder) if request.subfolder else None
    if root is not None and (subfolder or relative):
        join_within(root, RelativePath(PurePosixPath(subfolder or "", relative or "x")))


def find_placement(
    request: DownloadRequest, file: ResolvedFile, layout: FolderLayout, *, allow_pickle: bool
) -> Placement:
    """Return the place of a resolved file; the folder is what the caller said, else what the source says.

    Raises: FolderUnknownError: nobody says; UnknownFolderError, InvalidNameError, ForbiddenTypeError.
    """
    named = request.folder_name or file.folder_hint
    if named is None:
        raise FolderUnknownError(
            f"nothing says in which folder `{file.filename}` belongs",
            hint=f"choose one of {_listed(layout)}" if layout.folders else "choose one",
        )
    folder_name = canonical_folder(named)
    root = _directory(folder_name, layout)
    relative = safe_relative(request.filename or file.filename)
    if request.subfolder:
        relative = RelativePath(PurePosixPath(safe_relative(request.subfolder), relative))
    check_suffix(relative.name, folder_name, allow_pickle=allow_pickle)
    dest = join_within(root, relative)
    part_dir = None if layout.folders[folder_name].suffixes - {""} else _part_dir(layout, root, relative)
    return Placement(folder_name=folder_name, dest=dest, part_dir=part_dir)


def check_suffix(name: str, folder_name: str | None = None, *, allow_pickle: bool) -> None:
    """Refuse names that are no model's, and formats that run code. Raises: ForbiddenTypeError."""
    suffix = PurePosixPath(name.lower()).suffix
    if suffix in COMPANION_SUFFIXES and folder_name is not None and canonical_folder(folder_name) == "diffusers":
        return
    if suffix in MODEL_SUFFIXES:
        return
    if allow_pickle and suffix in PICKLE_SUFFIXES:
        if can_scan():
            return
        raise ForbiddenTypeError(
            f"`{name}` is a {suffix} file, and nothing here can look into one before it is loaded",
            hint=f"pip install {SCANNER}",
        )
    if suffix in PICKLE_SUFFIXES:
        raise ForbiddenTypeError(
            f"`{name}` is a {suffix} file: loading one can run any code in it",
            hint="look for a .safetensors of it; COMFYSTOW_ALLOW_PICKLE=1 accepts such files",
        )
    raise ForbiddenTypeError(
        f"`{name}` is no model file", hint=f"the name of a model ends with {', '.join(sorted(MODEL_SUFFIXES))}"
    )


def _directory(folder_name: str, layout: FolderLayout) -> Path:
    name = canonical_folder(folder_name)
    directory = layout.destination(name)
    if directory is None or not holds_models(layout, name, directory):
        known = _listed(layout)
        raise UnknownFolderError(
            f"there is no models folder `{folder_name[:60]}`",
            hint=f"known: {known}" if known else "start ComfyUI once, or give --comfyui DIR or --models-dir DIR",
        )
    return directory


def _listed(layout: FolderLayout) -> str:
    return ", ".join(sorted(layout.folders.keys() - NON_MODEL_FOLDERS))


def _part_dir(layout: FolderLayout, root: Path, relative: PurePosixPath) -> Path:
    """Return where a part lies that ComfyUI must not list: outside all listed folders, on the same file system."""
    return hidden_place(layout, root) / HIDDEN_FOLDER / root.name / relative.parent
