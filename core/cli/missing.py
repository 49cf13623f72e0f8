"""`comfystow missing`: what workflows need and lack; relinked, completed or exported on request."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..engine.connection import error_of_code
from ..engine.sync_client import SyncEngineClient
from ..errors import StowError, UsageError
from ..records.download import ErrorInfo
from ..records.json import to_json
from ..units import format_bytes
from . import typed
from .lock import write_text
from .options import add_common, installation_of, session_client_of
from .output import exit_code_of, say, show, show_error, show_json
from .wishes import add_facts, facts_of, files_of

EXIT_MISSING = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "workflows",
        nargs="+",
        type=typed.path,
        metavar="WORKFLOW",
        help="JSON of ComfyUI, an image it made, or a folder",
    )
    parser.add_argument("--search", action="store_true", help="look on the hubs for what no list knows for sure")
    parser.add_argument("--offline", action="store_true", help="ask no source for the size of what is missing")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--relink", action="store_true", help="write the workflow with the names of files that are here")
    forms.add_argument("--embed", action="store_true", help="write the workflow with the sources of its models in it")
    forms.add_argument("--export", choices=("links", "get"), help="print what is missing as links, or as commands")
    parser.add_argument("-o", "--output", type=typed.path, metavar="FILE", help="where --relink and --embed write")
    add_facts(parser)
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Report; the exit code is 3 when something is missing."""
    with session_client_of(installation_of(arguments)) as client:
        if arguments.relink or arguments.embed:
            return _write(client, arguments)
        reports = list(ask(client, arguments))
    if arguments.json:
        show_json(reports)
    else:
        for report in reports:
            _export(report, arguments.export) if arguments.export else _show(report)
    errors = [error_of_code(told["code"])(told["message"]) for told in (report["error"] for report in reports) if told]
    if errors:
        return exit_code_of(errors)
    return EXIT_MISSING if any(lacking(report) for report in reports) else 0


def ask(client: SyncEngineClient, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a report for each file; one that cannot be read has its error."""
    from ..workflow.load import load_document

    facts = facts_of(arguments)
    for path in arguments.workflows:
        try:
            for file in files_of(path):
                options = {"search": arguments.search, "fit": not arguments.offline, "facts": facts}
                yield _asked(client, file, load_document, options)
        except StowError as err:
            yield _failed(path, err)


def _asked(client: SyncEngineClient, file: Path, load: Any, options: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = client.call("POST", "/workflow/missing", {"workflow": load(file), **options})
    except StowError as err:
        return _failed(file, err)
    return {**answer, "workflow": str(file)}


def _failed(path: Path, error: StowError) -> dict[str, Any]:
    say(f"{path}:")
    show_error(error)
    return {"workflow": str(path), "models": [], "error": to_json(ErrorInfo.of(error))}


def lacking(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the models of a report that have to come from somewhere: of nodes that run, and not on disk."""
    return [model for model in report["models"] if model["state"] != "present" and model.get("active", True)]


def _show(report: dict[str, Any]) -> None:
    if report["error"] is not None:  # told already
        return
    show(f"{report['workflow']}:")
    for model in report["models"]:
        idle = "" if model.get("active", True) else " (only muted or bypassed nodes name it)"
        show(f"  {model['state']:<8} {model['folder'] or '?'}/{model['name']}{idle}")
        if model["state"] == "near":
            show(f"           as {model['near_name']}: {model['near_reason']}")
        elif model["state"] == "missing":
            for candidate in model["candidates"][:3]:
                show(f"           {_candidate(candidate)}")
    for node in report.get("skipped", ()):
        show(f"  skipped  node {node['node_id']}: {node['reason']}")
    show_fit(report.get("fit"), show)


def _candidate(row: dict[str, Any]) -> str:
    facts = [
        row["reason"],
        format_bytes(row["size_bytes"]) if row["size_bytes"] is not None else None,
        row["licence"],
        "asks for a login or a licence" if row["gated"] else None,
    ]
    return f"{row['confidence']}: {row['source']} ({', '.join(fact for fact in facts if fact)})"


def show_fit(fit: dict[str, Any] | None, tell: Any) -> None:
    """Say whether it fits the GPU, and what smaller one there is."""
    if fit is None or not fit["loads"]:
        return
    tell(f"  GPU      {fit['sentence']}")
    for row in fit["smaller"]:
        loader = ", with a GGUF loader" if row["needs_other_loader"] else ""
        tell(f"           smaller: {row['source']} ({format_bytes(row['size_bytes'])}{loader}; {row['known_from']})")


def _export(report: dict[str, Any], form: str) -> None:
    from ..workflow.export import export_lines

    show(f"# {report['workflow']}")
    for line in export_lines(report["models"], form):
        show(line)


def _write(client: SyncEngineClient, arguments: argparse.Namespace) -> int:
    """Write a changed copy of one workflow; without a change nothing is written."""
    from ..workflow.load import load_document

    if len(arguments.workflows) != 1 or arguments.output is None or arguments.workflows[0].is_dir():
        raise UsageError("one workflow, and -o FILE, say what is written where")
    document = load_document(arguments.workflows[0])
    form, key = ("relink", "changed") if arguments.relink else ("embed", "written")
    body: dict[str, Any] = {"workflow": document}
    answer = client.call("POST", f"/workflow/{form}", {**body, "search": arguments.search})
    if answer[key]:
        write_text(arguments.output, json.dumps(answer["document"], ensure_ascii=False, indent=2) + "\n")
    if arguments.json:
        show_json({name: value for name, value in answer.items() if name != "document"})
    for row in answer.get("renames", ()):
        say(f"{row['from']} -> {row['to']} (node {', '.join(row['nodes'])})")
    for row in answer.get("models", ()):
        say(f"{row['directory']}/{row['name']}: {row['url']}")
    say(f"{arguments.output}: {answer[key]} values are written" if answer[key] else "nothing is to be written")
    return 0
