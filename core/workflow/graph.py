"""One graph's links: where a widget's value comes from when it is not the one stored beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from .document import MAX_VALUES, id_text
from .prompt import literal_text

#: Marks an input that another node feeds: its value is not in the document.
LINKED: Final = object()

_MAX_REROUTES = 64
#: Id of a definition's own input node (litegraph, SubgraphInputNode).
_INPUT_NODE = "-10"


@dataclass(slots=True)
class Incoming:
    """What an instance hands to its definition's graph.

    `by_input` goes through the definition's inputs; `by_widget` (inner node id, widget name) is the way of frontends
    before promoted widgets became inputs (`properties.proxyWidgets`).
    """

    by_input: dict[str, object] = field(default_factory=dict)
    by_widget: dict[tuple[str, str], str] = field(default_factory=dict)


class Graph:
    """A workflow's root or a subgraph definition, with its links indexed."""

    def __init__(self, raw: Mapping[str, object]) -> None:
        nodes = raw.get("nodes")
        self.nodes: list[object] = nodes if isinstance(nodes, list) else []
        inputs = raw.get("inputs")
        self.inputs = [slot for slot in inputs if isinstance(slot, Mapping)] if isinstance(inputs, list) else []
        self._by_id = {
            key: node for node in self.nodes if isinstance(node, Mapping) and (key := id_text(node.get("id")))
        }
        self._origins: dict[str, tuple[str, int]] = {}
        self._targets: dict[int, list[tuple[str, int]]] = {}
        self._promoted: tuple[str, ...] | None = None
        for link_id, origin, origin_slot, target, target_slot in _links(raw.get("links")):
            self._origins[link_id] = (origin, origin_slot)
            if origin == _INPUT_NODE:
                self._targets.setdefault(origin_slot, []).append((target, target_slot))

    def incoming_values(
        self, node: Mapping[str, object], own_id: str, incoming: Incoming
    ) -> tuple[dict[str, str], frozenset[str]]:
        """Return the values that replace a node's own, by input name, and the inputs that other nodes feed."""
        replaced: dict[str, str] = {}
        linked: set[str] = set()
        for name, link in _input_links(node):
            value = self._trace(link, incoming)
            if isinstance(value, str):
                replaced[name] = value
            elif value is LINKED:
                linked.add(name)
        if incoming.by_widget:
            replaced.update({name: text for (owner, name), text in incoming.by_widget.items() if owner == own_id})
        return replaced, frozenset(linked)

    def promoted(self, definitions: Mapping[str, Graph]) -> tuple[str, ...]:
        """Return the names of the inputs that stand for an inner widget, in order.

        Computed once: a definition that is met while its own answer is being made (a cycle) promotes nothing.
        """
        if self._promoted is None:
            self._promoted = ()
            self._promoted = tuple(
                name
                for slot, entry in enumerate(self.inputs[:MAX_VALUES])
                if isinstance(name := entry.get("name"), str) and self._is_promoted(slot, definitions)
            )
        return self._promoted

    def _is_promoted(self, slot: int, definitions: Mapping[str, Graph]) -> bool:
        return any(
            self._feeds_widget(target, target_slot, definitions) for target, target_slot in self._targets.get(slot, ())
        )

    def _feeds_widget(self, target: str, slot: int, definitions: Mapping[str, Graph]) -> bool:
        node = self._by_id.get(target)
        inputs = node.get("inputs") if node is not None else None
        if node is None or not isinstance(inputs, list) or not 0 <= slot < len(inputs):
            return False
        entry = inputs[slot]
        if not isinstance(entry, Mapping):
            return False
        inner = definitions.get(str(node.get("type")))
        return entry.get("widget") is not None or (
            inner is not None and entry.get("name") in inner.promoted(definitions)
        )

    def _trace(self, link: str, incoming: Incoming) -> object:
        """Return the string a link carries, LINKED when only a run can tell, None when the node's own value holds."""
        for _ in range(_MAX_REROUTES):
            origin, slot = self._origins.get(link, ("", 0))
            if not origin:
                return None
            if origin == _INPUT_NODE:
                name = self.inputs[slot].get("name") if 0 <= slot < len(self.inputs) else None
                return incoming.by_input.get(name) if isinstance(name, str) else None
            node = self._by_id.get(origin)
            if node is None:
                return None
            kind = node.get("type")
            if kind == "PrimitiveNode":
                return _first_text(node) or LINKED
            links = [link for _, link in _input_links(node)] if kind == "Reroute" else []
            if not links:
                return LINKED
            link = links[0]
        return LINKED


def instance_values(node: Mapping[str, object], node_type: str, definitions: Mapping[str, Graph]) -> Incoming:
    """Return the values that an instance stores for the widgets it promotes.

    With `properties.proxyWidgets` each entry `[inner node, widget]` has the value at its own place (`"-1"` names one
    of the definition's inputs); without, the values follow the definition's promoted inputs.
    """
    incoming = Incoming()
    raw = node.get("widgets_values")
    named = node.get("widgets_values_named")
    if not isinstance(raw, list):
        if isinstance(named, Mapping):
            incoming.by_input.update({str(key): text for key, value in named.items() if (text := literal_text(value))})
        return incoming
    texts = [literal_text(value) for value in raw[:MAX_VALUES]]
    properties = node.get("properties")
    proxies = properties.get("proxyWidgets") if isinstance(properties, Mapping) else None
    if isinstance(proxies, list) and proxies:
        for proxy, text in zip(proxies, texts, strict=False):
            if text is None or not isinstance(proxy, list) or len(proxy) < 2:
                continue
            owner, name = str(proxy[0]), str(proxy[1])
            if owner == "-1":
                incoming.by_input[name] = text
            else:
                incoming.by_widget[owner, name] = text
    else:
        names = definitions[node_type].promoted(definitions)
        incoming.by_input.update({name: text for name, text in zip(names, texts, strict=False) if text is not None})
    return incoming


def _links(raw: object) -> Iterator[tuple[str, str, int, str, int]]:
    """Read links in both spellings: `[id, origin, slot, target, slot, type]` and objects."""
    for link in raw if isinstance(raw, list) else []:
        if isinstance(link, Mapping):
            parts = [link.get(key) for key in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
        elif isinstance(link, list) and len(link) >= 5:
            parts = link[:5]
        else:
            continue
        ids = [id_text(parts[0]), id_text(parts[1]), id_text(parts[3])]
        if None not in ids and isinstance(parts[2], int) and isinstance(parts[4], int):
            yield str(ids[0]), str(ids[1]), parts[2], str(ids[2]), parts[4]


def _input_links(node: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    inputs = node.get("inputs")
    for entry in inputs[:MAX_VALUES] if isinstance(inputs, list) else []:
        if not isinstance(entry, Mapping):
            continue
        link = id_text(entry.get("link"))
        name = entry.get("name")
        if link is not None and isinstance(name, str):
            yield name, link


def _first_text(node: Mapping[str, object]) -> str | None:
    values = node.get("widgets_values")
    return literal_text(values[0]) if isinstance(values, list) and values else None
