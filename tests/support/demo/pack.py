"""The pack that brings the demo's workflow: the frontend opens a template by pack and name.

It stands beside the extension in the demo's own `custom_nodes`, so that what users install carries no example of models
that only the local hub holds.
"""

from __future__ import annotations

from pathlib import Path

PACK = "stow_demo"
TEMPLATE = "stow_demo"
WORKFLOW = Path(__file__).with_name("stow_demo.json")


def write_pack(custom_nodes: Path, token: str) -> None:
    """Write the pack; `token` is what the workflow's note tells to enter."""
    folder = custom_nodes / PACK
    (folder / "example_workflows").mkdir(parents=True)
    (folder / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n", encoding="utf-8")
    workflow = WORKFLOW.read_text(encoding="utf-8").replace("TOKEN", token)
    (folder / "example_workflows" / f"{TEMPLATE}.json").write_text(workflow, encoding="utf-8")


def link(url: str) -> str:
    """Give the address that opens the workflow."""
    return f"{url}/?template={TEMPLATE}&source={PACK}"
