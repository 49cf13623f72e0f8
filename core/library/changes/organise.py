"""Where each model of a folder belongs, and how it gets there: a plan, and nothing is touched.

The header says what a file is. A name is believed only where there is no header to read, and the plan says so; what
neither tells is left with the choice. Nothing goes to `checkpoints` for want of a better place.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ...errors import InvalidNameError
from ...paths import PICKLE_SUFFIXES, join_within, safe_component
from ...records.change import Act, Action, FileFacts, LinkPolicy, Method
from ...records.model import FolderLayout, canonical_folder
from .ground import holds_models
from .holdings import Holdings, Tell
from .incoming import Incoming, Sidecar
from .volumes import Volumes

_MOST_NUMBERS = 1000


class Clash(StrEnum):
    """What to do where another content has the name."""

    LEAVE = "leave"
    RENAME = "rename"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a file is, by its header, by its name where there is none, or by a person's choice (`chosen`).

    `choices` are folders that only a person can choose from.
    """

    folder: str | None = None
    kind: str | None = None
    base_model: str | None = None
    evidence: str = ""
    by_name: bool = False
    chosen: bool = False
    choices: tuple[str, ...] = ()
    trouble: str | None = None
    """Why it is not taken, whatever it is: damage, or a pickle that would run something."""


#: Looks into a file of so many bytes. Raises: OSError.
Classify = Callable[[Path, int], Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How the caller wants it."""

    link: LinkPolicy = LinkPolicy.AUTO
    clash: Clash = Clash.LEAVE
    allow_pickle: bool = False


def in_order(models: Iterable[Incoming]) -> list[Incoming]:
    """Sort models as they are planned: of equal files the one is taken that others belong to."""
    return sorted(models, key=lambda model: (not model.sidecars, model.path))


def refusal(model: Incoming, wishes: Wishes) -> str | None:
    """Say why a model is not even opened; None where it is."""
    if model.trouble is not None:
        return model.trouble
    pickle = os.path.splitext(model.name.lower())[1] in PICKLE_SUFFIXES  # noqa: PTH122 - plans of many thousands
    if pickle and not wishes.allow_pickle:
        return "loading such a file can run any code in it; COMFYSTOW_ALLOW_PICKLE=1 takes them"
    return None


class _Contents:
    """Files of one size for one folder; they are looked into when a second one comes, and each once."""

    def __init__(self, there: list[tuple[str, str]]) -> None:
        self._unread = there  # what to look into, and where it is or will be
        self._by_inode: dict[int, str] = {}
        self._tell: Tell | None = None
        self._alike: dict[str, list[tuple[str, FileFacts, str]]] = defaultdict(list)

    def add(self, path: str, target: str) -> None:
        """Add a file that this plan places."""
        self._unread.append((path, target))

    def find(self, model: Incoming, holdings: Holdings) -> str | None:
        """Return where a file's bytes are. Raises: OSError, InterruptedError."""
        unread, self._unread = self._unread, []
        found = [(path, facts, shown) for path, shown in unread if (facts := _of_size(path, model)) is not None]
        if found and self._tell is None:
            self._tell = holdings.telling([(path, facts) for path, facts, _ in found] + [(model.path, model.facts)])
        if self._tell is None:
            return None
        for path, facts, shown in found:
            self._by_inode[facts.inode] = path
            self._alike[self._tell(path, facts)].append((path, facts, shown))
        same = self._by_inode.get(model.facts.inode)
        if same is not None and Path(same).samefile(model.path):
            return same
        own = (model.path, model.facts)
        alike = self._alike.get(self._tell(*own), [])
        equal = (shown for path, facts, shown in alike if holdings.digest(path, facts) == holdings.digest(*own))
        return next(equal, None)


@dataclass(frozen=True, slots=True)
class _Home:
    """A folder of ComfyUI: the directory that takes new files, and the real paths of all of its directories."""

    root: Path
    directories: tuple[str, ...]

    def holds(self, real: str) -> bool:
        """Tell whether a real path lies in it."""
        return any(_is_below(real, directory) for directory in self.directories)


def _of_size(path: str, model: Incoming) -> FileFacts | None:
    """Return what a file is, if it still has the size of a model."""
    facts = FileFacts.of(path)
    return facts if facts is not None and facts.size_bytes == model.facts.size_bytes else None


class Organiser:
    """Plans one folder. `tick` is told of every file that was looked at, and may raise InterruptedError."""

    def __init__(
        self,
        layout: FolderLayout,
        classify: Classify,
        holdings: Holdings,
        wishes: Wishes,
        *,
        spare_of: Callable[[str, int], str],
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._layout = layout
        self._classify = classify
        self._holdings = holdings
        self._wishes = wishes
        self._spare_of = spare_of
        self._tick = tick
        self._volumes = Volumes()
        self._actions: list[Action] = []
        self._homes: dict[str, _Home | None] = {}
        self._real: dict[str, str] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._planned: dict[str, Action] = {}
        self._contents: dict[tuple[int, str], _Contents] = {}

    def plan(self, models: Iterable[Incoming]) -> list[Action]:
        """Return a row for each model, and one for each sidecar that travels."""
        for model in in_order(models):
            self._tick()
            action = self._model(model)
            self._add(action)
            if action.act in {Act.LINK, Act.MOVE} and action.target is not None:
                for row in self._sidecars(model.sidecars, action):
                    self._add(row)
        return self._actions

    def _add(self, action: Action) -> None:
        self._actions.append(action)
        if action.target is not None and not action.act.idle:
            self._planned[action.target] = action
            folder, name = os.path.split(action.target)
            self._listed(folder).setdefault(name.casefold(), name)

    def _model(self, model: Incoming) -> Action:
        row = Action(
            number=len(self._actions),
            act=Act.LEAVE,
            source=model.path,
            size_bytes=model.facts.size_bytes,
            facts=model.facts,
        )
        if (trouble := refusal(model, self._wishes)) is not None:
            return row._replace(conflict=trouble)
        try:
            finding = self._classify(Path(model.path), model.facts.size_bytes)
        except OSError as err:
            return row._replace(conflict=f"it cannot be read: {err.strerror or err}")
        row = row._replace(kind=finding.kind, evidence=finding.evidence, reason=_because(finding))
        if (why := _undecided(finding)) is not None:
            return row._replace(conflict=why)
        try:
            return self._placed(row, model, canonical_folder(finding.folder or ""))
        except InvalidNameError as err:
            return row._replace(conflict=f"{err.message}: rename it first")
        except OSError as err:
            return row._replace(conflict=f"it cannot be compared: {err.strerror or err}")

    def _placed(self, row: Action, model: Incoming, folder: str) -> Action:
        home = self._home(folder)
        if home is None:
            return row._replace(conflict=f"this ComfyUI has no folder `{folder}`: make it, or choose another")
        target = str(join_within(home.root, safe_component(model.name)))
        if home.holds(self._real_parent(model.path)):
            return row._replace(act=Act.SKIP, target=model.path, reason=f"it lies in `{folder}` already")
        same = self._same_content(model, folder, home)
        if same is not None:
            return row._replace(act=Act.SKIP, target=same, reason="the same content is there already")
        if (taken := self._taken(target)) is not None:
            free = self._free_name(target)
            if self._wishes.clash is Clash.LEAVE or free is None:
                hint = f"; `{os.path.basename(free)}` is free" if free is not None else ""  # noqa: PTH119
                return row._replace(target=target, conflict=f"{taken}{hint}")
            target = free
        self._contents[model.facts.size_bytes, folder].add(model.path, target)
        return self._joined(row, model, target)

    def _joined(self, row: Action, model: Incoming, target: str) -> Action:
        """Choose the method, and say what it needs where there is none."""
        method, why = self._volumes.method(self._wishes.link, model.path, target)
        row = row._replace(target=target, method=method)
        if method is None:
            return row._replace(conflict=why)
        if method is Method.SYMLINK and self._volumes.network(model.path):
            row = row._replace(reason=f"{row.reason}; it leads nowhere while that network volume is away")
        act = Act.MOVE if self._wishes.link is LinkPolicy.MOVE else Act.LINK
        return row._replace(act=act, spare=self._spare_of(target, row.number))

    def _home(self, folder: str) -> _Home | None:
        """Return where models of a folder go; None where it takes none."""
        if folder not in self._homes:
            root = self._layout.destination(folder)
            if root is None or not holds_models(self._layout, folder, root):
                self._homes[folder] = None
            else:
                directories = self._layout.folders[folder].directories
                self._homes[folder] = _Home(root, tuple(map(os.path.realpath, directories)))
        return self._homes[folder]

    def _real_parent(self, path: str) -> str:
        """Return where a file lies, through all links; asked once for each folder of a plan of many thousands."""
        parent = os.path.dirname(path)  # noqa: PTH120
        if parent not in self._real:
            self._real[parent] = os.path.realpath(parent)
        return self._real[parent]

    def _same_content(self, model: Incoming, folder: str, home: _Home) -> str | None:
        """Return where the library, or an earlier row of this plan, has the same bytes for this folder."""
        size = model.facts.size_bytes
        if (size, folder) not in self._contents:
            there = [path for path in self._holdings.of_size(size) if home.holds(self._real_parent(path))]
            self._contents[size, folder] = _Contents([(path, path) for path in there])
        return self._contents[size, folder].find(model, self._holdings)

    def _taken(self, target: str) -> str | None:
        folder, name = os.path.split(target)
        other = self._listed(folder).get(name.casefold())
        if other is None:
            return None
        if other == name:
            return "another content has that name there"
        return f"`{other}` is there, and differs by case alone: Windows and macOS keep only one of them"

    def _listed(self, folder: str) -> dict[str, str]:
        """Return the names of a folder, those that this plan makes too, by what they are without regard to case."""
        names = self._names.get(folder)
        if names is None:
            try:
                names = {name.casefold(): name for name in os.listdir(folder)}  # noqa: PTH208 - names alone are wanted
            except (FileNotFoundError, NotADirectoryError):
                names = {}
            self._names[folder] = names
        return names

    def _free_name(self, target: str) -> str | None:
        path = Path(target)
        names = self._listed(str(path.parent))
        numbered = (f"{path.stem}-{number}{path.suffix}" for number in range(2, _MOST_NUMBERS))
        free = next((name for name in numbered if name.casefold() not in names), None)
        return str(path.with_name(safe_component(free))) if free is not None else None

    def _sidecars(self, sidecars: Iterable[Sidecar], leader: Action) -> Iterator[Action]:
        stem = os.path.splitext(leader.target or "")[0]  # noqa: PTH122
        for side in sidecars:
            target = stem + side.tail
            number = len(self._actions)
            row = leader._replace(
                number=number,
                source=side.path,
                target=target,
                size_bytes=side.facts.size_bytes,
                facts=side.facts,
                follows=leader.number,
                kind=None,
                evidence=None,
                reason=f"belongs to {os.path.basename(leader.source)}",  # noqa: PTH119
                spare=self._spare_of(target, number),
            )
            if os.path.lexists(target) or target in self._planned:
                row = row._replace(act=Act.LEAVE, method=None, conflict="another file has that name there")
            yield row


def _because(finding: Finding) -> str:
    if finding.chosen:
        return "chosen"
    return "by its name alone: there is no header to read" if finding.by_name else "by its header"


def _undecided(finding: Finding) -> str | None:
    if finding.trouble is not None:
        return finding.trouble
    if finding.choices:
        return f"it could belong to {' or '.join(finding.choices)}: choose one"
    if finding.folder is None:
        return "nothing tells what it is: choose a folder"
    return None


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")
