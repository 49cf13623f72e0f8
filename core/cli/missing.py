"""`comfystow missing`: what workflows need and lack."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..engine.sync_client import SyncEngineClient
from ..errors import StowError
from ..records.download import ErrorInfo
from ..records.json import to_json
from .options import add_common, installation_of, session_client_of
from .output import show_error, show_json

EXIT_MISSING = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_workflows(parser)
    add_common(parser)


def add_workflows(parser: argparse.ArgumentParser) -> None:
    """Add the argument that `missing` and `ensure` share."""
    parser.add_argument(
        "workflows", nargs="+", type=Path, metavar="WORKFLOW", help="JSON of ComfyUI, an image it made, or a folder"
    )


def run(arguments: argparse.Namespace) -> int:
    """Report; the exit code is 3 when something is missing."""
    with session_client_of(installation_of(arguments)) as client:
        reports = list(ask(client, arguments.workflows))
    if arguments.json:
        show_json(reports)
    else:
        for report in reports:
            _show(report)
    if any(report["error"] is not None for report in reports):
        return 1
    return EXIT_MISSING if any(lacking(report) for report in reports) else 0


def ask(client: SyncEngineClient, paths: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield a report for each file; one that cannot be read has its error."""
    from ..workflow.load import load_document, workflow_files

    for path in paths:
        try:
            for file in workflow_files(path):
                yield _asked(client, file, load_document)
        except StowError as err:
            yield _failed(path, err)


def _asked(client: SyncEngineClient, file: Path, load: Any) -> dict[str, Any]:
    try:
        answer = client.call("POST", "/workflow/missing", {"workflow": load(file)})
    except StowError as err:
        return _failed(file, err)
    return {**answer, "workflow": str(file)}


def _failed(path: Path, error: StowError) -> dict[str, Any]:
    show_error(error)
    return {"workflow": str(path), "models": [], "error": to_json(ErrorInfo.of(error))}


def lacking(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the models of a report that have to come from somewhere: of nodes that run, and not on disk."""
    return [model for model in report["models"] if model["state"] != "present" and model.get("active", True)]


def _show(report: dict[str, Any]) -> None:
    print(f"{report['workflow']}:")
    for model in report["models"]:
        idle = "" if model.get("active", True) else " (only muted or bypassed nodes name it)"
        print(f"  {model['state']:<8} {model['folder'] or '?'}/{model['name']}{idle}")
        if model["state"] == "near":
            print(f"           as {model['near_name']}: {model['near_reason']}")
        elif model["state"] == "missing":
            for candidate in model["candidates"][:3]:
                print(f"           {candidate['confidence']}: {candidate['source']} ({candidate['reason']})")
