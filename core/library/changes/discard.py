"""What goes into the trash and out of it: files that were named, files that a budget leaves no room for."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...records.change import Act, Action, FileFacts, Method
from .incoming import Sidecar, sidecars_of

TrashOf = Callable[[Path, int], Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A file of the library as a budget sees it. `recent_at` is when it was last used, else when it came."""

    path: Path
    size_bytes: int
    identity: tuple[int, int]
    links: int
    recent_at: float
    fetchable: bool
    """True where it is proven whole and its source is known: it can be had again."""
    named: bool = False


def plan_delete(
    paths: Iterable[Path],
    trash_of: TrashOf,
    spare_of: Callable[[str, int], str],
    known_of: Callable[[Path], str | None] = lambda _path: None,
) -> list[Action]:
    """Return what moves named files, and what belongs to them, into the trash."""
    actions: list[Action] = []
    for path in paths:
        leader = _discarded(path, len(actions), trash_of, spare_of)._replace(known=known_of(path))
        actions.append(leader)
        if leader.act is not Act.TRASH:
            continue
        for side in _beside(path):
            row = _discarded(Path(side.path), len(actions), trash_of, spare_of)
            actions.append(row._replace(follows=leader.number, reason=f"belongs to {path.name}"))
    return actions


def _beside(path: Path) -> tuple[Sidecar, ...]:
    try:
        return sidecars_of(path)
    except OSError:
        return ()  # a folder that cannot be listed: the model alone is named


def _discarded(path: Path, number: int, trash_of: TrashOf, spare_of: Callable[[str, int], str]) -> Action:
    row = Action(number=number, act=Act.LEAVE, source=str(path))
    try:
        facts = FileFacts.of(path)
        links = os.lstat(path).st_nlink if facts is not None else 0
    except OSError as err:
        return row._replace(conflict=f"it cannot be looked at: {err.strerror or err}")
    if facts is None or facts.size_bytes < 0:
        return row._replace(conflict="it is gone" if facts is None else "it is no file")
    target = str(trash_of(path, number))
    return row._replace(
        act=Act.TRASH,
        target=target,
        method=Method.RENAME,
        size_bytes=facts.size_bytes,
        saved_bytes=facts.size_bytes if links == 1 else 0,
        reason="named" if links == 1 else "named; another name of it keeps the space",
        facts=facts,
        spare=spare_of(target, number),
    )


def choose_prunable(files: Iterable[Shelved], budget_bytes: int) -> tuple[list[Shelved], int]:
    """Choose what goes so that the rest fits, and return by how many bytes it does not (pure).

    Named files go in any case. Then goes what can be had again, least recently used first, all names of a file
    together; a file with a name that we do not see would free nothing, and stays.
    """
    names: dict[tuple[int, int], list[Shelved]] = defaultdict(list)
    for file in files:
        names[file.identity].append(file)
    total = sum(same[0].size_bytes for same in names.values())
    groups = sorted(
        names.values(),
        key=lambda same: (not any(file.named for file in same), max(file.recent_at for file in same)),
    )
    chosen: list[Shelved] = []
    for same in groups:
        named = any(file.named for file in same)
        complete = len(same) >= same[0].links
        if not named and (total <= budget_bytes or not complete or not all(file.fetchable for file in same)):
            continue
        chosen += same
        total -= same[0].size_bytes if complete else 0
    return chosen, max(0, total - budget_bytes)


def plan_prune(
    chosen: Iterable[Shelved],
    trash_of: TrashOf,
    spare_of: Callable[[str, int], str],
    known_of: Callable[[Path], str | None] = lambda _path: None,
) -> list[Action]:
    """Return what moves chosen files into the trash; the bytes of a file count with its last name."""
    files = list(chosen)
    last = {file.identity: file.path for file in files}
    by_path = {str(file.path): file for file in files}
    rows = plan_delete([file.path for file in files], trash_of, spare_of, known_of)
    return [_explained(row, by_path.get(row.source), last) for row in rows]


def _explained(row: Action, file: Shelved | None, last: dict[tuple[int, int], Path]) -> Action:
    if file is None or row.act is not Act.TRASH:
        return row
    reason = "named" if file.named else "not used for longest; it can be downloaded again"
    return row._replace(reason=reason, saved_bytes=file.size_bytes if last[file.identity] == file.path else 0)


def plan_empty(items: Iterable[Action]) -> list[Action]:
    """Return what deletes things in the trash for good."""
    return [
        Action(
            number=number,
            act=Act.DROP,
            source=item.target or "",
            size_bytes=item.size_bytes,
            saved_bytes=item.saved_bytes,
            reason=f"was {item.source}",
            facts=item.made,
        )
        for number, item in enumerate(items)
    ]
