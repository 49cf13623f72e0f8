"""Let a prompt with missing models run: each missing literal becomes a link to an inserted node that fetches it.

ComfyUI refuses a prompt whose literal is not in a loader's list before any node runs, but checks no linked value
(0.3.75, execution.py, validate_inputs). So the name travels over a link, and the loader itself stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import InvalidNameError
from ..paths import safe_relative
from .document import EmbeddedModel
from .names import looks_like_model
from .node_inputs import NodeTable
from .prompt import embedded_anywhere

#: The node that is inserted, and its inputs: `nodes/ensure_model.py` has the same names.
ENSURE_NODE = "StowEnsureModel"
_MAX_INSERTED = 500
_PREFIX = "stow"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A prompt that was changed, and the ids of the nodes that were put in."""

    prompt: dict[str, object]
    inserted: tuple[str, ...]


def link_missing(
    prompt: Mapping[str, object],
    *,
    workflow: object,
    table: NodeTable,
    present: Callable[[str, str], bool],
) -> Rewritten:
    """Replace each literal that names a missing model by a link; what the author embedded tells the node the source.

    `present` says whether a loader would find a name in a folder. The prompt that was given stays as it is. Values
    inside objects (some packs' LoRA stacks) cannot be linked and stay.
    """
    embedded = {model.name: model for model in embedded_anywhere(workflow)}
    changed = dict(prompt)
    inserted: dict[tuple[str, str], str] = {}
    for node_id, entry in prompt.items():
        if not isinstance(entry, Mapping) or not isinstance(inputs := entry.get("inputs"), Mapping):
            continue
        links = {
            name: _insert(changed, inserted, folder, text, embedded.get(text))
            for name, (folder, text) in _missing(str(entry.get("class_type")), inputs, table, present).items()
            if len(inserted) < _MAX_INSERTED
        }
        if links:
            linked = {name: [target, 0] for name, target in links.items()}
            changed[node_id] = {**entry, "inputs": {**inputs, **linked}}
    return Rewritten(changed, tuple(inserted.values()))


def _missing(
    node_type: str, inputs: Mapping[str, object], table: NodeTable, present: Callable[[str, str], bool]
) -> dict[str, tuple[str, str]]:
    """Return folder and name of each missing literal, by input; our own loaders fetch for themselves."""
    if node_type.startswith("Stow"):
        return {}
    found: dict[str, tuple[str, str]] = {}
    for name, text in inputs.items():
        if not isinstance(text, str) or not isinstance(name, str) or not looks_like_model(text):
            continue
        folder = table.folder_of_value(node_type, text, table.folder_of_input(node_type, name))
        if folder is None or table.is_no_file(node_type, text) or present(folder, text) or not _safe(text):
            continue
        found[name] = (folder, text)
    return found


def _insert(
    prompt: dict[str, object],
    inserted: dict[tuple[str, str], str],
    folder: str,
    name: str,
    known: EmbeddedModel | None,
) -> str:
    key = (folder, name)
    if key not in inserted:
        number = len(inserted) + 1
        while f"{_PREFIX}{number}" in prompt:
            number += 1
        inserted[key] = f"{_PREFIX}{number}"
        prompt[inserted[key]] = {
            "class_type": ENSURE_NODE,
            "inputs": {
                "source": (known.url if known else None) or "",
                "folder": folder,
                "name": name,
                "sha256": (known.sha256 if known else None) or "",
            },
            "_meta": {"title": f"Ensure {name}"},
        }
    return inserted[key]


def _safe(name: str) -> bool:
    try:
        safe_relative(name)
    except InvalidNameError:
        return False
    return True
