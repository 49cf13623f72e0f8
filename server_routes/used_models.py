"""Which models ComfyUI's prompts name: each prompt is looked at once, while it runs or after its end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..core.paths import has_model_suffix
from ..core.records.session import UsedModel

_MOST_PROMPTS = 1000
#: More than any workflow loads; what a stranger queues must not make a request of ours endless.
_MOST_MODELS = 500


class UsedModels:
    """Items of the queue are `(number, id, prompt, …)`, and history keeps them (0.3.75, `execution.PromptQueue`)."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def look(self, running: Mapping[Any, Any], ended: Iterable[Any]) -> tuple[UsedModel, ...]:
        """Return the models of prompts that were not looked at before."""
        found: dict[UsedModel, None] = {}
        items = list(running.values())  # one call copies it: ComfyUI's worker thread may change it meanwhile
        items += [entry.get("prompt") for entry in ended if isinstance(entry, dict)]
        for item in items:
            if isinstance(item, tuple | list) and len(item) > 2 and isinstance(item[2], dict):
                if str(item[1]) in self._seen:
                    continue
                self._seen[str(item[1])] = None
                found.update(dict.fromkeys(_named(item[2])))
        while len(self._seen) > _MOST_PROMPTS:
            del self._seen[next(iter(self._seen))]
        return tuple(found)[:_MOST_MODELS]


def _named(prompt: dict[str, Any]) -> Iterable[UsedModel]:
    now = time.time()
    for node in prompt.values():
        inputs = node.get("inputs") if isinstance(node, dict) else None
        if isinstance(inputs, dict):
            for name, value in inputs.items():
                if isinstance(value, str) and len(value) < 1024 and has_model_suffix(value):
                    yield UsedModel(
                        node_type=str(node.get("class_type")), input_name=str(name), name=value, used_at=now
                    )
