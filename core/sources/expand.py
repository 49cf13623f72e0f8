"""From a repository or a folder of it to its model files, each with the folder it goes to; subfolders are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import NotFoundError, UsageError
from ..net.credentials import Credentials
from ..paths import COMPANION_SUFFIXES, MODEL_SUFFIXES, PICKLE_SUFFIXES
from ..records.model import canonical_folder
from ..records.source import HuggingFaceSource, ResolvedFile, Source
from .hub_tree import is_selected
from .huggingface import HuggingFace

#: The file that makes a folder a pipeline of diffusers (huggingface.co/docs/diffusers, "Understanding pipelines").
_INDEX = "model_index.json"
_DIFFUSERS = "diffusers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a repository. `folder_name` None: the file names no folder, and the caller has to."""

    source: str
    path: str
    filename: str
    folder_name: str | None
    subfolder: str | None
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """What was asked for, and the paths that matched and are no model files."""

    files: tuple[Member, ...]
    skipped: tuple[str, ...]


async def expand(
    hub: HuggingFace,
    source: Source,
    credentials: Credentials | None,
    *,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    allow_pickle: bool,
) -> Members:
    """List the model files of a repository; patterns as in `hf download`. Raises: StowError."""
    if not isinstance(source, HuggingFaceSource):
        raise UsageError("`--include` takes files of a Hugging Face repository", hint="write hf://OWNER/REPO")
    everything = await hub.list_files(source, credentials)
    chosen = [file for file in everything if is_selected(str(_path(file)), include, exclude)]
    found = members(source, everything, chosen, allow_pickle=allow_pickle)
    if not found.files:
        seen = f"{len(found.skipped)} others match" if found.skipped else f"none of {len(everything)} files matches"
        raise NotFoundError(f"`{source}` has no such model files: {seen}", hint="`*` also crosses `/`")
    return found


def members(
    source: HuggingFaceSource, everything: Iterable[ResolvedFile], chosen: Iterable[ResolvedFile], *, allow_pickle: bool
) -> Members:
    """Sort files into models and others, and give each its folder (pure)."""
    root = PurePosixPath(source.filename.rstrip("/"))
    pipeline = any(_path(file) == root / _INDEX for file in everything)
    suffixes = MODEL_SUFFIXES | (PICKLE_SUFFIXES if allow_pickle else frozenset())
    if pipeline:
        suffixes |= COMPANION_SUFFIXES
    rows, skipped = [], []
    for file in chosen:
        path = _path(file)
        if path.suffix.lower() in suffixes:
            rows.append(_member(file, path, path.relative_to(root), source.repo_id if pipeline else None))
        else:
            skipped.append(str(path))
    return Members(files=tuple(rows), skipped=tuple(skipped))


def _path(file: ResolvedFile) -> PurePosixPath:
    return PurePosixPath(str(file.metadata["path"]))


def _member(file: ResolvedFile, path: PurePosixPath, inside: PurePosixPath, pipeline: str | None) -> Member:
    if pipeline is not None:
        folder: str | None = _DIFFUSERS
        parents = (pipeline.rpartition("/")[2], *inside.parent.parts)
    else:
        folder, parents = file.folder_hint, _below_folder(inside.parent.parts, file.folder_hint)
    return Member(
        source=str(file.source),
        path=str(path),
        filename=file.filename,
        folder_name=folder,
        subfolder="/".join(parents) or None,
        size_bytes=file.size_bytes,
        sha256=file.digest.hex if file.digest is not None else None,
    )


def _below_folder(parents: tuple[str, ...], folder_name: str | None) -> tuple[str, ...]:
    """Leave out what leads to ComfyUI's folder: `split_files/vae/flux` is `flux` in the folder `vae`."""
    places = [index for index, part in enumerate(parents) if canonical_folder(part) == folder_name]
    return parents[places[-1] + 1 :] if places else parents
