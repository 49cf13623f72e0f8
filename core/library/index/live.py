"""What of the library can be followed live, and how: by the system's events, by looking now and then, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

#: More than this and the rest is polled: each watch is an inotify instance, and a user has 128 (inotify(7)).
MOST_WATCHED = 48
#: ComfyUI's own folder of folders: one watch serves all below.
_MODELS = "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePlan:
    """`watched` are told by the system, with everything below them; `polled` are looked at now and then."""

    watched: tuple[Path, ...] = ()
    polled: tuple[Path, ...] = ()


def plan_live(roots: Iterable[Path], is_network: Callable[[Path], bool]) -> LivePlan:
    """Decide how to follow folders (pure but for `is_network`); a folder within a watched one needs nothing."""
    folders = list(dict.fromkeys(roots))
    polled = [folder for folder in folders if is_network(folder)]
    local = [folder for folder in folders if folder not in polled]
    tops = [_top(folder, is_network) for folder in local]
    watched: list[Path] = []
    for top in sorted(dict.fromkeys(tops), key=lambda path: len(path.parts)):
        if not any(top.is_relative_to(other) for other in watched):
            watched.append(top)
    return LivePlan(watched=tuple(watched[:MOST_WATCHED]), polled=(*polled, *watched[MOST_WATCHED:]))


def _top(folder: Path, is_network: Callable[[Path], bool]) -> Path:
    return folder.parent if folder.parent.name == _MODELS and not is_network(folder.parent) else folder
