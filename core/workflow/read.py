"""Recognise the form of a document and read it: a litegraph workflow, an API prompt, or either in an envelope."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import WorkflowError
from .document import Document
from .litegraph import read_litegraph
from .prompt import looks_like_prompt, read_prompt


def read_document(data: object) -> Document:
    """Read a parsed JSON document.

    An envelope (`{"prompt": …}`, `{"workflow": …}`, the body of `POST /prompt` with `extra_data`) is opened; a prompt
    that travels with its workflow gains what that workflow's author embedded.

    Raises: WorkflowError: no workflow, or beyond our limits.
    """
    if not isinstance(data, Mapping):
        raise _no_workflow(f"it is {_kind(data)}, not an object")
    prompt, workflow = prompt_of(data), workflow_of(data)
    if prompt is not None:
        return read_prompt(prompt, workflow=workflow)
    if workflow is not None:
        return read_litegraph(workflow)
    raise _no_workflow("it has neither `nodes` (a workflow) nor entries with `class_type` (an API prompt)")


def prompt_of(data: object) -> Mapping[str, object] | None:
    """Return the API prompt in a document: the document itself, or inside its envelope."""
    if not isinstance(data, Mapping) or isinstance(data.get("nodes"), list):
        return None
    for inner in (data.get("prompt"), data.get("output"), data):
        if isinstance(inner, Mapping) and looks_like_prompt(inner):
            return inner
    return None


def workflow_of(data: object) -> Mapping[str, object] | None:
    """Return the litegraph workflow in a document: the document itself, or inside its envelope."""
    if not isinstance(data, Mapping):
        return None
    extra = data.get("extra_data")
    pnginfo = extra.get("extra_pnginfo") if isinstance(extra, Mapping) else None
    embedded = pnginfo.get("workflow") if isinstance(pnginfo, Mapping) else None
    for inner in (data, embedded, data.get("workflow")):
        if isinstance(inner, Mapping) and isinstance(inner.get("nodes"), list):
            return inner
    return None


def _no_workflow(reason: str) -> WorkflowError:
    return WorkflowError(
        f"this is no ComfyUI workflow: {reason}",
        hint="give a workflow saved by ComfyUI, an API prompt, or an image that carries one",
    )


def _kind(data: object) -> str:
    return {list: "a list", str: "a text", type(None): "empty"}.get(type(data), f"a {type(data).__name__}")
