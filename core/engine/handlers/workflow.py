"""What a workflow needs."""

from __future__ import annotations

import asyncio
from functools import partial

from ...errors import UsageError
from ..bodies import WorkflowRequest
from .call import Call, Handler


async def missing(call: Call) -> object:
    """Say what a workflow or prompt needs, what is there, and where the rest can come from."""
    # Late: an engine that only downloads starts 40 ms sooner without the workflow readers.
    from ...workflow.missing import report
    from ...workflow.status import LayoutInventory

    request: WorkflowRequest = call.body
    if request.workflow is None and request.prompt is None:
        raise UsageError("the body has neither `workflow` nor `prompt`")
    # A prompt that travels with its workflow gains what the workflow's author embedded.
    document = {"prompt": request.prompt, "workflow": request.workflow} if request.prompt else request.workflow
    session = call.session
    layout = session.layout if session is not None and session.layout.folders else call.runtime.sessions.layout()
    find = partial(
        report,
        document,
        inventory=LayoutInventory(layout),
        # A command has learnt no nodes; what a running ComfyUI has learnt, or the last one had, serves it too.
        node_inputs=(session.node_inputs if session is not None else {}) or call.runtime.sessions.node_inputs(),
        lookup=await call.runtime.catalogue(),
    )
    # In a thread: it lists folders, and a large workflow takes a second.
    found = await asyncio.to_thread(find)
    if not call.local:
        for model in found["models"]:  # type: ignore[attr-defined]
            model["path"] = None  # host paths are for callers on this machine
    return found


WORKFLOW: dict[str, Handler] = {"workflow.missing": missing}
