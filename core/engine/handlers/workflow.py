"""What a workflow needs."""

from __future__ import annotations

from .call import Call, Handler


async def missing(call: Call) -> object:
    raise NotImplementedError


WORKFLOW: dict[str, Handler] = {"workflow.missing": missing}
