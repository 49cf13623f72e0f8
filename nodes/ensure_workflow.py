"""Ensure Workflow Models: a prompt that holds this node runs although models are missing."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from comfy_api.latest import io

from ..core.errors import StowError
from . import comfyui, engine

_log = logging.getLogger("comfystow.nodes")
_NODE_ID = "StowEnsureWorkflowModels"


class EnsureWorkflowModels(io.ComfyNode):  # type: ignore[misc]
    """Fetches what the prompt it stands in needs, and what a manifest in its text field lists."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id=_NODE_ID,
            display_name="Ensure Workflow Models",
            category="ComfyStow",
            description="Put it anywhere in a workflow: each missing model that a loader names is fetched at run time.",
            inputs=[
                io.String.Input(
                    "manifest", default="", multiline=True, optional=True,
                    tooltip="More to fetch: the text of a models.yaml.",
                ),
                io.String.Input("profile", default="", optional=True, tooltip="The profile of the manifest."),
            ],
            outputs=[io.String.Output("report", display_name="report")],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    async def execute(cls, manifest: str = "", profile: str = "") -> Any:
        """Fetch the manifest's models side by side; those of the prompt come with nodes of their own."""
        if not manifest.strip():
            return io.NodeOutput("")
        from .fetch import ModelUnavailableError, Wanted, ensure  # late: this module is imported while ComfyUI starts

        # The engine judges conditions by this machine's GPU, as it does for the command line.
        facts = {"profile": profile.strip() or None}
        body = {"manifest": manifest, "facts": facts, "apply": False, "search": False}
        try:
            answer = await engine.call("POST", "/workflow/ensure", body, local=True)  # links as they are
        except StowError as err:
            raise ModelUnavailableError(err.message, hint=err.hint) from None
        wanted = [
            Wanted(
                folder_name=row["folder_name"],
                name=f"{row['subfolder']}/{row['filename']}"
                if row["subfolder"] and row["filename"]
                else row["filename"],
                subfolder=row["subfolder"],
                source=row["source"],
                sha256=row["sha256"],
            )
            for row in answer["requests"]
        ]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(ensure(one, cls.hidden.unique_id)) for one in wanted]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None  # ComfyUI knows its interrupt, and shows a text, by the bare error
        return io.NodeOutput("\n".join(task.result() for task in tasks))


def rewrite_request(request: dict[str, Any]) -> dict[str, Any]:
    """Rewrite the body of `POST /prompt` when its prompt holds our node; runs on the server's loop, without I/O."""
    prompt = request.get("prompt")
    if not isinstance(prompt, dict) or not any(
        isinstance(entry, dict) and entry.get("class_type") == _NODE_ID for entry in prompt.values()
    ):
        return request
    from ..core.workflow.node_inputs import NodeTable  # late: this module is imported while ComfyUI starts
    from ..core.workflow.read import workflow_of
    from ..core.workflow.rewrite import link_missing

    done = link_missing(prompt, workflow=workflow_of(request), table=NodeTable(), present=_is_there)
    if done.inserted:
        _log.info("%d missing models of the prompt will be fetched", len(done.inserted))
    return {**request, "prompt": done.prompt}


def _is_there(folder_name: str, name: str) -> bool:
    """Ask for the very file that a loader would open: a look or two, where a listing may walk the folder."""
    return comfyui.full_path(folder_name, name) is not None
