"""The one answer to "what does this workflow need?": required, present, near, missing, with candidates."""

from __future__ import annotations

from dataclasses import replace

from ..errors import StowError
from ..records.download import ErrorInfo
from ..records.json import to_json
from ..records.workflow import ModelStatus, Presence
from .candidates import Lookup, find_candidates
from .node_inputs import NodeInputs
from .requirements import Requirements, requirements
from .status import Inventory, model_statuses


def statuses(
    needed: Requirements, inventory: Inventory, lookup: Lookup | None = None, *, inactive: bool = False
) -> list[ModelStatus]:
    """Return each required model with where it is and where it can come from.

    `inactive` adds the models that only muted or bypassed nodes name.
    """
    models = needed.models + (needed.inactive if inactive else ())
    return [
        replace(status, candidates=find_candidates(status.required, lookup, needed.links))
        for status in model_statuses(models, inventory)
    ]


def report(
    document: object,
    *,
    inventory: Inventory,
    node_inputs: NodeInputs | None = None,
    lookup: Lookup | None = None,
    workflow: str | None = None,
) -> dict[str, object]:
    """Return one element of the `missing` shape, with the parts that were skipped.

    Models of muted and bypassed nodes are in it, marked not active. Raises: WorkflowError: the document is no
    workflow, or beyond our limits.
    """
    needed = requirements(document, node_inputs)
    found = statuses(needed, inventory, lookup, inactive=True)
    return {
        "workflow": workflow,
        "models": [model_json(status) for status in found],
        "error": None,
        "skipped": to_json(needed.skipped),
    }


def missing(
    document: object,
    *,
    inventory: Inventory,
    node_inputs: NodeInputs | None = None,
    lookup: Lookup | None = None,
    workflow: str | None = None,
) -> list[dict[str, object]]:
    """Return the `missing` shape of one document; an unreadable one has its `error` in it."""
    try:
        return [report(document, inventory=inventory, node_inputs=node_inputs, lookup=lookup, workflow=workflow)]
    except StowError as error:
        return [{"workflow": workflow, "models": [], "error": to_json(ErrorInfo.of(error)), "skipped": []}]


def model_json(status: ModelStatus) -> dict[str, object]:
    """Return one model of the `missing` shape; of what is here nobody asks where it could come from."""
    model = status.required
    candidates = () if status.presence is Presence.PRESENT else status.candidates
    return {
        "name": model.name,
        "folder": model.folder_name,
        "nodes": [use.node_id for use in model.uses],
        "state": status.presence.value,
        "path": status.path,
        "candidates": [candidate_json(candidate) for candidate in candidates],
        "active": model.active,
        "uses": to_json(model.uses),
        "near_name": status.near_name,
        "near_confidence": to_json(status.near_confidence),
        "near_reason": status.near_reason,
    }


def candidate_json(candidate: object) -> dict[str, object]:
    """Return one candidate of the `missing` shape."""
    data: dict[str, object] = to_json(candidate)
    data["folder"] = data.pop("folder_name")
    return data
