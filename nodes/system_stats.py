"""System Stats: what the machine does at this moment of a prompt."""

from __future__ import annotations

import json
from typing import Any

from comfy_api.latest import io

from . import comfyui, engine

_HOLDER = "node"
_SECONDS = 10.0


class SystemStats(io.ComfyNode):  # type: ignore[misc]
    """Shows GPU, memory, disk and network from the same sample as panel, command line and metrics."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        return io.Schema(
            node_id="StowSystemStats",
            display_name="System Stats",
            category="ComfyStow",
            description="Shows GPU, memory, disk and network when the prompt comes here. Unknown is n/a, never 0.",
            inputs=[
                io.AnyType.Input(
                    "after", optional=True, tooltip="Link anything here: the machine is looked at when that is done."
                )
            ],
            outputs=[
                io.String.Output("text", display_name="text"),
                io.String.Output("json", display_name="json"),
                io.AnyType.Output("through", display_name="through"),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **_kwargs: Any) -> float:
        """Run each time: not even equal to itself."""
        return float("nan")

    @classmethod
    async def execute(cls, after: Any = None) -> Any:
        """Take a lease for some seconds, and show the sample."""
        from ..core.cli.machine import lines_of  # late: this module is imported while ComfyUI starts

        view = await engine.call("POST", "/system/lease", {"seconds": _SECONDS, "holder": _HOLDER})
        lines = lines_of(view)
        text = "\n".join(f"{line.label}: {line.text}".removeprefix(": ").strip() for line in lines)
        comfyui.show_text(cls.hidden.unique_id, text)
        data = json.dumps(view["sample"], ensure_ascii=False)
        return io.NodeOutput(text, data, after, ui={"text": [text]})
