"""API prompts: `{id: {"class_type": …, "inputs": {…}}}`; every literal has its name, and links are `[id, slot]`."""

from __future__ import annotations

from collections.abc import Mapping

from .document import (
    MAX_TEXT_CHARS,
    MAX_VALUES,
    Collector,
    Document,
    DocumentNode,
    EmbeddedModel,
    WidgetValue,
    embedded_models,
    id_text,
    short_text,
)


def looks_like_prompt(data: Mapping[str, object]) -> bool:
    """Tell whether any entry is a node of an API prompt."""
    return any(isinstance(entry, Mapping) and "class_type" in entry for entry in data.values())


def read_prompt(prompt: Mapping[str, object], *, workflow: object) -> Document:
    """Read an API prompt; `workflow`, when it came along, adds the models that its author embedded."""
    collector = Collector()
    for key, entry in prompt.items():
        collector.visit()
        node_id = id_text(key)
        if node_id is None or not isinstance(entry, Mapping):
            collector.skip(str(key)[:128], "it is no node")
            continue
        node_type = short_text(entry.get("class_type"), 256)
        inputs = entry.get("inputs")
        if node_type is None or not isinstance(inputs, Mapping):
            collector.skip(node_id, "it has no class_type or no inputs")
            continue
        collector.add(
            DocumentNode(node_id=node_id, node_type=node_type, title=_title(entry), values=prompt_values(inputs))
        )
    return collector.finish(embedded_anywhere(workflow), from_prompt=True)


def prompt_values(inputs: Mapping[str, object]) -> tuple[WidgetValue, ...]:
    """Return the literal strings of a node's inputs by name; a structured value gives the model it names."""
    values = []
    for name, raw in list(inputs.items())[:MAX_VALUES]:
        text = literal_text(raw)
        if text is not None and isinstance(name, str):
            values.append(WidgetValue(text, name))
    return tuple(values)


def literal_text(raw: object) -> str | None:
    """Return the string that a widget value holds, None for none.

    Two packs store objects: rgthree's Power Lora Loader `{"on": …, "lora": …}` (off means not loaded), and
    pysssss's loaders `{"content": …, "image": …}`.
    """
    if isinstance(raw, Mapping):
        if raw.get("on") is False:
            return None
        raw = raw.get("lora", raw.get("content"))
    return raw[:MAX_TEXT_CHARS] if isinstance(raw, str) and raw else None


def _title(entry: Mapping[str, object]) -> str | None:
    meta = entry.get("_meta")
    return short_text(meta.get("title"), 256) if isinstance(meta, Mapping) else None


def embedded_anywhere(workflow: object) -> tuple[EmbeddedModel, ...]:
    """Return all models embedded in a workflow's nodes; whether a node still uses one, the prompt's values say."""
    if not isinstance(workflow, Mapping):
        return ()
    found: dict[EmbeddedModel, None] = {}
    definitions = workflow.get("definitions")
    subgraphs = definitions.get("subgraphs") if isinstance(definitions, Mapping) else None
    for graph in [workflow, *(subgraphs if isinstance(subgraphs, list) else [])]:
        nodes = graph.get("nodes") if isinstance(graph, Mapping) else None
        for node in nodes if isinstance(nodes, list) else []:
            properties = node.get("properties") if isinstance(node, Mapping) else None
            if isinstance(properties, Mapping):
                found.update(dict.fromkeys(embedded_models(properties.get("models"))))
    return tuple(found)
