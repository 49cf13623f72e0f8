"""Small workflows, written as ComfyUI writes them."""

from __future__ import annotations

from typing import Any

import pytest


class GraphBuilder:
    """Builds a litegraph document node by node; subgraphs are graphs of their own."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.links: list[list[Any]] = []
        self.subgraphs: list[dict[str, Any]] = []
        self.root: dict[str, Any] = {}

    def node(self, node_id: int, kind: str, *values: Any, **extra: Any) -> dict[str, Any]:
        node = {"id": node_id, "type": kind, "mode": 0, "widgets_values": list(values), "properties": {}, **extra}
        self.nodes.append(node)
        return node

    def embed(self, node: dict[str, Any], name: str, folder: str, url: str | None = None, **extra: Any) -> None:
        entry = {"name": name, "directory": folder, "url": url or f"https://huggingface.co/o/r/resolve/main/{name}"}
        node["properties"].setdefault("models", []).append({**entry, **extra})

    def link(self, origin: int, target: int, name: str, *, widget: bool = True) -> int:
        link_id = len(self.links) + 1
        node = next(node for node in self.nodes if node["id"] == target)
        slots = node.setdefault("inputs", [])
        slots.append({"name": name, "link": link_id, **({"widget": {"name": name}} if widget else {})})
        self.links.append([link_id, origin, 0, target, len(slots) - 1, "COMBO"])
        return link_id

    def subgraph(self, key: str, inner: GraphBuilder, promoted: dict[str, tuple[int, str]]) -> None:
        """Define a subgraph; `promoted` maps an input's name to the inner node and its widget."""
        links = [
            dict(zip(("id", "origin_id", "origin_slot", "target_id", "target_slot"), link[:5], strict=True))
            for link in inner.links
        ]
        inputs = []
        for slot, (name, (target, widget)) in enumerate(promoted.items()):
            node = next(node for node in inner.nodes if node["id"] == target)
            slots = node.setdefault("inputs", [])
            link_id = 1000 + slot
            slots.append({"name": widget, "link": link_id, "widget": {"name": widget}})
            links.append(
                {
                    "id": link_id,
                    "origin_id": -10,
                    "origin_slot": slot,
                    "target_id": target,
                    "target_slot": len(slots) - 1,
                }
            )
            inputs.append({"name": name, "type": "COMBO", "linkIds": [link_id]})
        self.subgraphs.append({"id": key, "nodes": inner.nodes, "links": links, "inputs": inputs})

    def document(self) -> dict[str, Any]:
        return {
            "nodes": self.nodes,
            "links": self.links,
            "definitions": {"subgraphs": self.subgraphs},
            "version": 0.4,
            **self.root,
        }


@pytest.fixture
def graph() -> type[GraphBuilder]:
    return GraphBuilder
