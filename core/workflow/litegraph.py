"""UI workflows: litegraph's nodes, subgraph definitions and their instances, expanded into one flat list.

A subgraph definition is shared by its instances; an instance may promote inner widgets, and then its own value counts,
not the one stored in the definition (ComfyUI frontend 1.58.1, SubgraphNode.ts `_applyPromotedWidgetValues`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..records.workflow import NodeMode
from .document import (
    MAX_DEPTH,
    MAX_VALUES,
    Collector,
    Document,
    DocumentNode,
    WidgetValue,
    embedded_models,
    id_text,
    short_text,
)
from .graph import LINKED, Graph, Incoming, instance_values
from .group_nodes import GROUP_PREFIXES, group_definitions, with_values
from .prompt import literal_text, prompt_values

_MODES = {2: NodeMode.MUTED, 4: NodeMode.BYPASSED}


def read_litegraph(workflow: Mapping[str, object]) -> Document:
    """Expand a workflow. Raises: WorkflowError: more nodes than our limit."""
    collector = Collector()
    definitions = _definitions(workflow)
    _Walk(collector, definitions).graph(Graph(workflow), _Place())
    return collector.finish(embedded_models(workflow.get("models")))


def _definitions(workflow: Mapping[str, object]) -> dict[str, Graph]:
    raw = workflow.get("definitions")
    subgraphs = raw.get("subgraphs") if isinstance(raw, Mapping) else None
    return {
        key: Graph(definition)
        for definition in (subgraphs if isinstance(subgraphs, list) else [])
        if isinstance(definition, Mapping) and (key := id_text(definition.get("id"))) is not None
    } | dict(group_definitions(workflow))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a graph stands: the path of its instance, that instance's mode, and what flows in from it."""

    path: str = ""
    mode: NodeMode = NodeMode.ACTIVE
    incoming: Incoming = field(default_factory=Incoming)
    ancestors: tuple[str, ...] = ()


class _Walk:
    def __init__(self, collector: Collector, definitions: dict[str, Graph]) -> None:
        self._collector = collector
        self._definitions = definitions

    def graph(self, graph: Graph, place: _Place) -> None:
        for index, node in enumerate(graph.nodes):
            self._collector.visit()
            if not isinstance(node, Mapping):
                self._collector.skip(f"{place.path}#{index}", "it is no node")
                continue
            own_id = id_text(node.get("id"))
            node_type = short_text(node.get("type"), 256)
            if own_id is None or node_type is None:
                self._collector.skip(f"{place.path}{own_id or f'#{index}'}", "it has no id or no type")
                continue
            self._node(graph, node, place, own_id, node_type)

    def _node(self, graph: Graph, node: Mapping[str, object], place: _Place, own_id: str, node_type: str) -> None:
        mode = _mode(node, place.mode)
        replaced, linked = graph.incoming_values(node, own_id, place.incoming)
        definition = self._definitions.get(node_type)
        node_id = place.path + own_id
        if definition is None:
            self._collector.add(_flat(node, node_id, node_type, mode, replaced, linked))
        elif node_type in place.ancestors:
            self._collector.skip(node_id, "its subgraph contains itself")
        elif len(place.ancestors) >= MAX_DEPTH:
            self._collector.skip(node_id, f"subgraphs are nested deeper than {MAX_DEPTH}")
        else:
            incoming = instance_values(node, node_type, self._definitions)
            incoming.by_input.update(replaced)
            incoming.by_input.update(dict.fromkeys(linked, LINKED))
            self.graph(
                with_values(definition, node.get("widgets_values"))
                if node_type.startswith(GROUP_PREFIXES)
                else definition,
                _Place(path=f"{node_id}:", mode=mode, incoming=incoming, ancestors=(*place.ancestors, node_type)),
            )


def _mode(node: Mapping[str, object], outer: NodeMode) -> NodeMode:
    if outer is not NodeMode.ACTIVE:
        return outer
    raw = node.get("mode")
    return _MODES.get(raw, NodeMode.ACTIVE) if isinstance(raw, int) else NodeMode.ACTIVE


def _flat(
    node: Mapping[str, object],
    node_id: str,
    node_type: str,
    mode: NodeMode,
    replaced: Mapping[str, str],
    linked: frozenset[str],
) -> DocumentNode:
    properties = node.get("properties")
    return DocumentNode(
        node_id=node_id,
        node_type=node_type,
        title=short_text(node.get("title"), 256),
        mode=mode,
        values=_values(node),
        replaced=replaced,
        linked=linked,
        embedded=embedded_models(properties.get("models")) if isinstance(properties, Mapping) else (),
    )


def _values(node: Mapping[str, object]) -> tuple[WidgetValue, ...]:
    """Return a node's strings, with their widgets' names where the document has them.

    Values by position are what the frontend restores; `widgets_values_named` beside them (newer frontends) may be
    stale, so only its names are taken, and only where the two agree in number.
    """
    raw = node.get("widgets_values")
    named = node.get("widgets_values_named")
    if isinstance(raw, Mapping):
        return prompt_values(raw)
    if not isinstance(raw, list):
        return prompt_values(named) if isinstance(named, Mapping) else ()
    names = list(named) if isinstance(named, Mapping) and len(named) == len(raw) else [None] * len(raw)
    pairs = list(zip(names, raw, strict=True))[:MAX_VALUES]
    return tuple(
        WidgetValue(text, name if isinstance(name, str) else None)
        for name, value in pairs
        if (text := literal_text(value)) is not None
    )
