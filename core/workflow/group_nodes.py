"""Group nodes, which came before subgraphs: `extra.groupNodes[NAME]`, used as node type `workflow>NAME`.

The frontend still reads them (1.32.9, groupNode.ts: separators `>` and, older, `/`). A group stores its widgets' values
in one row; inner nodes have the index in the group as their id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .document import MAX_VALUES, id_text
from .graph import Graph
from .names import looks_like_model

GROUP_PREFIXES = ("workflow>", "workflow/")


def group_definitions(workflow: Mapping[str, object]) -> Iterator[tuple[str, Graph]]:
    """Yield the group nodes of a workflow as definitions, by the node types that use them."""
    extra = workflow.get("extra")
    groups = extra.get("groupNodes") if isinstance(extra, Mapping) else None
    for name, group in groups.items() if isinstance(groups, Mapping) else ():
        if isinstance(group, Mapping) and isinstance(name, str):
            graph = Graph({"nodes": _indexed(group.get("nodes"))})
            for prefix in GROUP_PREFIXES:
                yield prefix + name, graph


def with_values(graph: Graph, values: object) -> Graph:
    """Return a group's graph with the values of one use of it.

    Model names are exchanged in order, where the row holds as many as the inner nodes; else the stored ones count.
    """
    row = [value for value in _strings(values) if looks_like_model(value)]
    stored = [value for node in graph.nodes for value in _strings(_widgets(node)) if looks_like_model(value)]
    if len(row) != len(stored):
        return graph
    fresh = iter(row)
    return Graph({"nodes": [_exchanged(node, fresh) for node in graph.nodes]})


def _indexed(nodes: object) -> list[object]:
    if not isinstance(nodes, list):
        return []
    return [
        {**node, "id": place if id_text(node.get("index")) is None else node["index"]}
        if isinstance(node, dict)
        else node
        for place, node in enumerate(nodes)
    ]


def _exchanged(node: object, fresh: Iterator[str]) -> object:
    values = _widgets(node)
    if not isinstance(node, Mapping) or not isinstance(values, list):
        return node
    exchanged = [
        next(fresh) if isinstance(value, str) and looks_like_model(value) else value for value in values[:MAX_VALUES]
    ]
    return {**node, "widgets_values": exchanged}


def _widgets(node: object) -> object:
    return node.get("widgets_values") if isinstance(node, Mapping) else None


def _strings(values: object) -> list[str]:
    row = values[:MAX_VALUES] if isinstance(values, list) else []
    return [value for value in row if isinstance(value, str)]
