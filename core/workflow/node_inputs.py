"""Which input of which node names a model: learnt from the running server, over a table shipped with the package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from ..records.model import canonical_folder

NodeInputs = Mapping[str, Mapping[str, str]]
"""Node type -> input name -> folder name, as a session tells it (`Session.node_inputs`)."""

_TABLE_FILE = Path(__file__).with_name("known_nodes.json")


class NodeTable:
    """The shipped table under what a running server said; where both know a node, the server is right."""

    def __init__(self, learnt: NodeInputs | None = None) -> None:
        self._learnt: NodeInputs = learnt or {}
        self._shipped = _shipped()

    def inputs_of(self, node_type: str) -> Mapping[str, str] | None:
        """Return a node's model inputs in order, None for a node that nobody knows.

        Names may hold a `*` for numbered inputs. A node that fetches by itself has none. A server learns nothing of an
        input whose folder is empty, so what it says is laid over the table.
        """
        learnt = self._learnt.get(node_type)
        known = self._shipped.nodes
        shipped = known.get(node_type, known.get(_stock_name(node_type, self._shipped.suffixes)))
        if learnt:
            return {**(shipped or {}), **learnt}
        return {} if shipped is None and self.fetches_itself(node_type) else shipped

    def fetches_itself(self, node_type: str) -> bool:
        """Tell whether the node downloads what it names into a place of its own."""
        return any(fnmatchcase(node_type, pattern) for pattern in self._shipped.fetching)

    def knows(self, node_type: str) -> bool:
        """Tell whether the model inputs of the node are known."""
        return self.inputs_of(node_type) is not None

    def folder_of_input(self, node_type: str, input_name: str | None) -> str | None:
        """Return the folder that an input's value lies in: by the node, else by what such names commonly mean.

        Without a name the answer is certain only for a node whose model inputs all lie in one folder.
        """
        inputs = self.inputs_of(node_type)
        if input_name is None:
            folders = set((inputs or {}).values())
            return folders.pop() if len(folders) == 1 else None
        patterns = self._shipped.input_names if inputs is None else inputs
        if input_name in patterns:
            return patterns[input_name]
        return next((folder for pattern, folder in patterns.items() if fnmatchcase(input_name, pattern)), None)

    def is_no_file(self, node_type: str, value: str) -> bool:
        """Tell whether a value is one of the loader's own choices (`None`, `taesd`, `pixel_space`), no file."""
        not_files = self._shipped.not_files
        text = value.strip().lower()
        return text in not_files["everywhere"] or text in not_files.get(node_type, ())

    def folder_of_value(self, node_type: str, value: str, folder: str | None) -> str | None:
        """Return the folder of one value: some loaders take some names from elsewhere; packs' aliases are resolved."""
        for start, other in self._shipped.other_folders.get(node_type, {}).items():
            if value.lower().startswith(start):
                return other
        return None if folder is None else folder_name(folder)


def folder_name(name: str) -> str:
    """Return the one name of a folder: without ComfyUI's old names and packs' aliases of a core folder."""
    return _shipped().aliases.get(name, canonical_folder(name))


def _stock_name(node_type: str, suffixes: tuple[str, ...]) -> str:
    return next((node_type.removesuffix(end) for end in suffixes if node_type.endswith(end)), node_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shipped:
    nodes: dict[str, dict[str, str]]
    fetching: tuple[str, ...]
    suffixes: tuple[str, ...]
    not_files: dict[str, frozenset[str]]
    other_folders: dict[str, dict[str, str]]
    aliases: dict[str, str]
    input_names: dict[str, str]


@cache
def _shipped() -> _Shipped:
    raw = json.loads(_TABLE_FILE.read_text(encoding="utf-8"))
    return _Shipped(
        nodes={name: inputs for pack in raw["packs"].values() for name, inputs in pack.items()},
        fetching=tuple(raw["fetch_by_themselves"]["patterns"]),
        suffixes=tuple(raw["variants"]["suffixes"]),
        not_files={key: frozenset(values) for key, values in _entries(raw["not_files"])},
        other_folders=dict(_entries(raw["other_folders"])),
        aliases=dict(_entries(raw["folder_aliases"])),
        input_names=dict(_entries(raw["input_names"])),
    )


def _entries(section: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in section.items() if key != "about")
