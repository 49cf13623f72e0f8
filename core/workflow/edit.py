"""Changes to a workflow, always in a copy: relink names to files that are there, embed what is known of each model."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import WorkflowError
from ..records.workflow import NodeUse
from .document import id_text
from .node_inputs import folder_name
from .read import prompt_of, workflow_of

_PRIMITIVE = "PrimitiveNode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """One name that becomes another in the nodes that use it."""

    old: str
    new: str
    uses: tuple[NodeUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one model: written into the nodes that use it."""

    name: str
    folder_name: str
    url: str
    sha256: str | None
    uses: tuple[NodeUse, ...]


def relink(document: object, renames: Iterable[Rename]) -> tuple[object, int]:
    """Return a copy in which the nodes name the new files, and how many values were changed.

    A promoted value is changed where it is stored: in the instances on the way, in the definition (its other
    instances name the same missing file), and in a primitive that feeds the widget. Embedded entries follow the name,
    or they would no longer count. Both forms are changed where a document carries both.

    Raises: WorkflowError: the document is no workflow.
    """
    changed = copy.deepcopy(document)
    workflow, prompt = _parts(changed)
    count = 0
    for rename in renames:
        nodes = _prompt_inputs(prompt, rename.uses) + _workflow_nodes(workflow, rename.uses)
        for node in nodes:
            count += _rename_in(node, rename)
    return changed, count


def embed(document: object, models: Iterable[Known]) -> tuple[object, int]:
    """Return a copy whose nodes carry URL, folder and digest of their models, and how many entries were written.

    The next person's ComfyUI (and ComfyStow) then needs no search. Entries of other models of a node stay.

    Raises: WorkflowError: an API prompt has no place for it.
    """
    changed = copy.deepcopy(document)
    workflow, _ = _parts(changed)
    if workflow is None:
        raise WorkflowError(
            "an API prompt has no place for where its models come from", hint="give the workflow that it was made from"
        )
    count = 0
    for model in models:
        for path in _paths(workflow, model.uses):
            count += _embed_in(path[-1], model)
    return changed, count


def _parts(document: object) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """Return the workflow and the prompt in a document, None for what it does not carry."""
    workflow, prompt = workflow_of(document), prompt_of(document)
    if not isinstance(workflow, dict):
        workflow = None
    if not isinstance(prompt, dict):
        prompt = None
    if workflow is None and prompt is None:
        raise WorkflowError("this is no ComfyUI workflow")
    return workflow, prompt


def _prompt_inputs(prompt: dict[str, object] | None, uses: Iterable[NodeUse]) -> list[dict[str, object]]:
    entries = [prompt.get(use.node_id) for use in uses] if prompt is not None else []
    inputs = [entry.get("inputs") for entry in entries if isinstance(entry, dict)]
    return [{"widgets_values": values} for values in inputs if isinstance(values, dict)]


def _workflow_nodes(workflow: dict[str, object] | None, uses: tuple[NodeUse, ...]) -> list[dict[str, object]]:
    if workflow is None:
        return []
    found: dict[int, dict[str, object]] = {}
    for path in _paths(workflow, uses):
        found.update((id(node), node) for node in path)
    found.update((id(node), node) for node in _all_nodes(workflow) if node.get("type") == _PRIMITIVE)
    return list(found.values())


def _paths(workflow: dict[str, object], uses: Iterable[NodeUse]) -> Iterator[list[dict[str, object]]]:
    """Yield for each use the nodes from the root to it: the instances on the way, and the node itself last."""
    index = {key: _by_id(graph) for key, graph in _definitions(workflow)}
    root = _by_id(workflow)
    for use in uses:
        nodes, path = root, []
        for part in use.node_id.split(":"):
            node = nodes.get(part)
            if node is None:
                break
            path.append(node)
            nodes = index.get(str(node.get("type")), {})
        else:
            yield path


def _definitions(workflow: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    raw = workflow.get("definitions")
    subgraphs = raw.get("subgraphs") if isinstance(raw, Mapping) else None
    for graph in subgraphs if isinstance(subgraphs, list) else []:
        if isinstance(graph, Mapping) and (key := id_text(graph.get("id"))) is not None:
            yield key, graph


def _all_nodes(workflow: Mapping[str, object]) -> Iterator[dict[str, object]]:
    for graph in [workflow, *(graph for _, graph in _definitions(workflow))]:
        yield from _by_id(graph).values()


def _by_id(graph: Mapping[str, object]) -> dict[str, dict[str, object]]:
    nodes = graph.get("nodes")
    return {
        key: node
        for node in (nodes if isinstance(nodes, list) else [])
        if isinstance(node, dict) and (key := id_text(node.get("id"))) is not None
    }


def _rename_in(node: dict[str, object], rename: Rename) -> int:
    count = sum(_replace(node.get(key), rename) for key in ("widgets_values", "widgets_values_named"))
    properties = node.get("properties")
    entries = properties.get("models") if isinstance(properties, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == rename.old:
            entry["name"] = rename.new
    return count


def _replace(values: object, rename: Rename) -> int:
    """Exchange the name in a node's values, and one level deeper in the objects that some packs store."""
    count = 0
    places: list[tuple[object, object]] = []
    if isinstance(values, dict):
        places = list(values.items())
    elif isinstance(values, list):
        places = list(enumerate(values))
    for key, value in places:
        if value == rename.old:
            values[key] = rename.new  # type: ignore[index]
            count += 1
        elif isinstance(value, dict):
            for name in ("lora", "content"):
                if value.get(name) == rename.old:
                    value[name] = rename.new
                    count += 1
    return count


def _embed_in(node: dict[str, object], model: Known) -> int:
    properties = node.setdefault("properties", {})
    if not isinstance(properties, dict):
        return 0
    entries = properties.get("models")
    if not isinstance(entries, list):
        entries = properties["models"] = []
    entry: dict[str, object] = {"name": model.name, "url": model.url, "directory": model.folder_name}
    if model.sha256 is not None:
        entry |= {"hash": model.sha256, "hash_type": "SHA256"}
    for place, known in enumerate(entries):
        if isinstance(known, dict) and known.get("name") == model.name and _same_folder(known, model):
            entries[place] = {**known, **entry}
            return int(entries[place] != known)
    entries.append(entry)
    return 1


def _same_folder(entry: Mapping[str, object], model: Known) -> bool:
    directory = entry.get("directory")
    return not isinstance(directory, str) or folder_name(directory) == model.folder_name
