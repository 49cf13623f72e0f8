"""Rows about workflows and prompts."""

from __future__ import annotations

from ..bodies import WorkflowRequest
from .route import MIB, Route

WORKFLOW_ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/workflow/missing",
        name="workflow.missing",
        summary="Say what models a workflow or prompt needs, which are there, and where the rest can come from",
        returns="one element of `comfystow missing --json`, and `skipped` parts",
        request=WorkflowRequest,
        max_body_bytes=64 * MIB,
    ),
)
