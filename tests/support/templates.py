"""ComfyUI's own workflow templates, fetched by pip and kept in the cache: real input for everything about workflows."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .setup.cache import Cache

#: The release of ComfyUI 0.3.75 with what it depends on, and the newest, whose JSON is a distribution of its own.
RELEASES = {
    "0.7.25": ("comfyui-workflow-templates==0.7.25", True),
    "newest": ("comfyui-workflow-templates-json==0.1.123", False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One workflow as it was shipped."""

    name: str
    workflow: dict[str, Any]


def templates(release: str, cache: Cache | None = None) -> Iterator[Template]:
    """Yield all workflows of a release, in the order of their names."""
    requirement, with_dependencies = RELEASES[release]

    def build(folder: Path) -> None:
        with TemporaryDirectory(dir=folder) as wheels:
            options = [] if with_dependencies else ["--no-deps"]
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", *options, "--dest", wheels, requirement],
                check=True,
            )
            for wheel in Path(wheels).glob("*.whl"):
                with zipfile.ZipFile(wheel) as archive:
                    for member in archive.namelist():
                        if "/templates/" in member and member.endswith(".json"):
                            (folder / Path(member).name).write_bytes(archive.read(member))

    folder = (cache or Cache()).entry("workflow-templates", [requirement], f"Fetching {requirement}", build)
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_bytes())
        if isinstance(data, dict) and isinstance(data.get("nodes"), list):
            yield Template(name=path.stem, workflow=data)


def embedded(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the embedded models whose name is a value of their node, by the letter of the JSON."""
    for graph in [workflow, *workflow.get("definitions", {}).get("subgraphs", [])]:
        for node in graph["nodes"]:
            values = node.get("widgets_values") or []
            values = list(values.values()) if isinstance(values, dict) else values
            for model in (node.get("properties") or {}).get("models") or []:
                if model["name"] in values:
                    yield model


def stripped(value: Any) -> Any:
    """Return a workflow without anything embedded about models."""
    if isinstance(value, dict):
        return {key: stripped(item) for key, item in value.items() if key != "models"}
    return [stripped(item) for item in value] if isinstance(value, list) else value
