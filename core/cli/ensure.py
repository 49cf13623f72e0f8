"""`comfystow ensure`: fetch what workflows lack, after showing it."""

from __future__ import annotations

import argparse
import sys
from pathlib import PurePosixPath
from typing import Any

from ..errors import ConflictError, NotFoundError, StowError, UsageError
from ..records.workflow import Confidence
from .fetch import Wanted
from .get import fetch_and_report
from .missing import add_workflows, ask, lacking
from .options import add_common, installation_of, session_client_of
from .output import exit_code_of, say, show_error
from .plan import ask_plan, dry_run, show_plan

#: What is taken without a person's choice; the rest is only shown.
_SURE = (Confidence.EXACT, Confidence.HIGH)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_workflows(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="show what would be fetched, and fetch nothing")
    parser.add_argument("--detach", action="store_true", help="leave it to the engine, and return")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask what is missing, show it, fetch it."""
    with session_client_of(installation_of(arguments)) as client:
        reports = list(ask(client, arguments.workflows))
        wanted, without = _plan([model for report in reports for model in lacking(report)])
        failed = [StowError("unreadable") for report in reports if report["error"] is not None]
        for error in without:
            show_error(error)
        if arguments.dry_run:
            return dry_run(client, wanted, arguments) or exit_code_of([*failed, *without])
        if not wanted:
            say("nothing is to be fetched")
            return exit_code_of([*failed, *without])
        show_plan(ask_plan(client, wanted))
        if not arguments.yes and not _agreed():
            say("nothing was fetched")
            return 1
        code = fetch_and_report(client, wanted, arguments)
    return code or exit_code_of([*failed, *without])


def _plan(models: list[dict[str, Any]]) -> tuple[list[Wanted], list[StowError]]:
    """Choose the best sure candidate of each model, once (pure)."""
    chosen: dict[tuple[str | None, str], Wanted] = {}
    without: list[StowError] = []
    for model in models:
        key = (model["folder"], model["name"])
        if key in chosen:
            continue
        if model["near_confidence"] in _SURE:
            without.append(_moved(model))
            continue
        candidate = next((item for item in model["candidates"] if item["confidence"] in _SURE), None)
        if candidate is None:
            without.append(_nowhere(model))
            continue
        path = PurePosixPath(model["name"].replace("\\", "/"))
        chosen[key] = Wanted(
            ref=candidate["url"] or candidate["source"],
            folder_name=model["folder"] or candidate["folder"],
            subfolder=str(path.parent) if str(path.parent) != "." else None,
            filename=path.name,
            sha256=candidate["sha256"],
        )
    return list(chosen.values()), without


def _moved(model: dict[str, Any]) -> StowError:
    return ConflictError(
        f"`{model['name']}` is here as `{model['near_name']}` ({model['near_reason']}), and is not fetched again",
        hint="choose that name in the workflow; the panel's Relink does it",
    )


def _nowhere(model: dict[str, Any]) -> StowError:
    others = [f"{item['source']} ({item['confidence']})" for item in model["candidates"][:3]]
    hint = f"it could be {', '.join(others)}: `comfystow get` takes the one you choose" if others else None
    return NotFoundError(f"no sure source is known for `{model['name']}`", hint=hint)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("this is no terminal to ask on", hint="add --yes to fetch what is shown")
    say("fetch these? [y/N]")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
