"""What lies in a folder that is to be organised: models, what belongs to each, and what cannot be looked at.

Links to folders are not followed, so that no loop is walked; nothing is opened for reading here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...paths import has_model_suffix
from ...records.change import FileFacts, Problem

#: What other tools put beside a model, by what follows its stem (AUTOMATIC1111, Civitai Helper, LoRA Manager).
SIDECAR_SUFFIXES = (
    ".json",
    ".yaml",
    ".yml",
    ".txt",
    ".md",
    ".sha256",
    ".civitai.info",
    ".cm-info.json",
    ".metadata.json",
    *(f"{kind}{image}" for kind in ("", ".preview") for image in (".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4")),
)
#: What is still arriving: browsers, aria2, wget, torrents, and ours.
_ARRIVING = (".part", ".crdownload", ".download", ".aria2", ".tmp", ".temp", ".incomplete", ".!qb", ".opdownload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A file that travels with its model: what follows the model's stem in its name."""

    path: str
    tail: str
    facts: FileFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A model file. `trouble` says why it cannot be taken yet or at all."""

    path: str
    facts: FileFacts
    device: int
    sidecars: tuple[Sidecar, ...] = ()
    trouble: str | None = None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return os.path.basename(self.path)  # noqa: PTH119 - plans of many thousands


@dataclass(slots=True)
class Arrivals:
    """Everything a walk met. `ignored` counts files that have nothing to do with models."""

    models: list[Incoming] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    ignored: int = 0


def look_into(folder: Path, *, now: float, still_seconds: float) -> Arrivals:
    """Walk a folder; a file that changed less than `still_seconds` ago may still be written, and is left."""
    arrivals = Arrivals()
    pending = [os.fspath(folder)]
    while pending:
        place = pending.pop()
        entries = _entries(place, arrivals)
        if "model_index.json" in entries:
            reason = "a pipeline of many files: move the folder as it is into `diffusers`"
            arrivals.problems.append(Problem(path=place, reason=reason))
            continue
        pending += sorted((entry.path for entry in entries.values() if _enters(entry, arrivals)), reverse=True)
        arrivals.models += _models(entries, arrivals, now=now, still_seconds=still_seconds)
    return arrivals


def _entries(place: str, arrivals: Arrivals) -> dict[str, os.DirEntry[str]]:
    try:
        with os.scandir(place) as listing:
            return {entry.name: entry for entry in sorted(listing, key=lambda entry: entry.name)}
    except OSError as err:
        arrivals.problems.append(Problem(path=place, reason=f"the folder cannot be read: {err.strerror or err}"))
        return {}


def _enters(entry: os.DirEntry[str], arrivals: Arrivals) -> bool:
    if entry.name.startswith("."):
        return False
    if not entry.is_symlink():
        return entry.is_dir(follow_symlinks=False)
    if Path(entry.path).is_dir():  # false for a link to itself, where the entry's own question raises
        arrivals.problems.append(Problem(path=entry.path, reason="a link to a folder is not followed"))
    return False


def _models(
    entries: dict[str, os.DirEntry[str]], arrivals: Arrivals, *, now: float, still_seconds: float
) -> Iterator[Incoming]:
    names = {name for name in entries if has_model_suffix(name) and not name.startswith("._")}
    listed = set(entries)
    taken: set[str] = set()
    for name in sorted(names):
        found = _looked_at(entries[name], arrivals)
        if found is None:
            continue
        model, status = found
        beside = [side for side in _sidecars(name, listed, os.path.dirname(model)) if side.path not in taken]  # noqa: PTH120
        taken |= {side.path for side in beside}
        arriving = any(f"{name}{suffix}" in entries for suffix in _ARRIVING)
        trouble = _trouble(status, arriving=arriving, age_seconds=now - status.st_mtime, still_seconds=still_seconds)
        yield Incoming(
            path=model, facts=FileFacts.of_stat(status), device=status.st_dev, sidecars=tuple(beside), trouble=trouble
        )
    for name, entry in entries.items():
        if name.lower().endswith(_ARRIVING) and has_model_suffix(name.rpartition(".")[0]):
            arrivals.problems.append(Problem(path=entry.path, reason="it is still arriving"))
        elif name not in names and entry.path not in taken and not entry.is_dir(follow_symlinks=False):
            arrivals.ignored += 1


def _looked_at(entry: os.DirEntry[str], arrivals: Arrivals) -> tuple[str, os.stat_result] | None:
    """Return a model's path and what the system says of it; a link to a file stands for nothing of its own."""
    try:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            dangling = not os.path.exists(entry.path)  # noqa: PTH110 - follows the link, as it should
            reason = "the link leads nowhere" if dangling else f"a link to {os.path.realpath(entry.path)}: it stays"
            arrivals.problems.append(Problem(path=entry.path, reason=reason))
            return None
    except OSError as err:
        reason = f"it cannot be looked at: {err.strerror or err}"
        arrivals.problems.append(Problem(path=entry.path, reason=reason))
        return None
    return (entry.path, status) if stat.S_ISREG(status.st_mode) else None


def _trouble(status: os.stat_result, *, arriving: bool, age_seconds: float, still_seconds: float) -> str | None:
    if arriving:
        return "it is still arriving"
    if 0 <= age_seconds < still_seconds:
        return f"it changed {age_seconds:.0f} s ago, and may still be written"
    return "it is empty" if status.st_size == 0 else None


def sidecars_of(path: Path) -> tuple[Sidecar, ...]:
    """Return what travels with a model; what another model of the same stem needs too stays. Raises: OSError."""
    names = {entry.name for entry in path.parent.iterdir()}
    if any(name != path.name and Path(name).stem == path.stem and has_model_suffix(name) for name in names):
        return ()
    return tuple(_sidecars(path.name, names, str(path.parent)))


def _sidecars(name: str, names: set[str], folder: str) -> Iterator[Sidecar]:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122
    for base, before in ((stem, ""), (name, suffix)):
        for tail in SIDECAR_SUFFIXES:
            if base + tail not in names:
                continue
            path = f"{folder}/{base}{tail}"
            found = FileFacts.of(path)
            if found is not None and found.size_bytes >= 0 and not os.path.islink(path):  # noqa: PTH114
                yield Sidecar(path=path, tail=before + tail, facts=found)
