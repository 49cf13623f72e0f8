"""`comfystow ensure`: fetch what workflows, manifests or locks lack, after showing it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..engine.sync_client import SyncEngineClient
from ..errors import ConflictError, NotFoundError, StowError, UsageError
from .fetch import Wanted
from .get import fetch_and_report
from .missing import show_fit
from .options import add_common, installation_of, session_client_of
from .output import exit_code_of, say, show_error, show_json
from .plan import ask_plan, dry_run, show_plan
from .wishes import add_wishes, facts_of, read_wishes


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_wishes(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="show what would be fetched, and fetch nothing")
    parser.add_argument("--detach", action="store_true", help="leave it to the engine, and return")
    parser.add_argument("--offline", action="store_true", help="do not look on the hubs for what no list knows")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask what is missing, show it, fetch it."""
    wishes = read_wishes(arguments)
    with session_client_of(installation_of(arguments)) as client:
        wanted, without = _asked(client, wishes.bodies, facts_of(arguments), offline=arguments.offline)
        without = [*wishes.failed, *without]
        if arguments.dry_run:
            return dry_run(client, wanted, arguments) or exit_code_of(without)
        if not wanted:
            if arguments.json:
                show_json([])
            if not without:
                say("nothing is to be fetched")
            return exit_code_of(without)
        show_plan(ask_plan(client, wanted))
        if not arguments.yes and not _agreed():
            if arguments.json:
                show_json([])
            say("nothing was fetched")
            return 1
        code = fetch_and_report(client, wanted, arguments)
    return code or exit_code_of(without)


def _asked(
    client: SyncEngineClient, bodies: list[tuple[str, dict[str, Any]]], facts: dict[str, object], *, offline: bool
) -> tuple[list[Wanted], list[StowError]]:
    """Let the engine choose, once for each file; what it cannot take is told."""
    wanted: dict[Wanted, None] = {}
    without: list[StowError] = []
    for name, body in bodies:
        options = {"search": not offline, "fit": not offline, "facts": facts, "apply": False}
        try:
            answer = client.call("POST", "/workflow/ensure", {**body, **options})
        except StowError as err:
            say(f"{name}:")
            show_error(err)
            without.append(err)
            continue
        show_fit(answer["fit"], say)
        wanted.update(dict.fromkeys(wanted_of(request) for request in answer["requests"]))
        for error in open_of(answer):
            show_error(error)
            without.append(error)
    return list(wanted), without


def wanted_of(request: dict[str, Any]) -> Wanted:
    """Return a request of the engine as the command's own."""
    names = ("folder_name", "subfolder", "filename", "sha256")
    return Wanted(ref=request["source"], **{name: request[name] for name in names})


def open_of(answer: dict[str, Any]) -> list[StowError]:
    """Return what is left to a person: files that are here under another name, and models without a sure source."""
    return [_moved(model) for model in answer["near"]] + [_nowhere(model) for model in answer["choices"]]


def _moved(model: dict[str, Any]) -> StowError:
    return ConflictError(
        f"`{model['name']}` is here as `{model['near_name']}` ({model['near_reason']}), and is not fetched again",
        hint="choose that name in the workflow: the panel's Relink does it, and `comfystow missing --relink`",
    )


def _nowhere(model: dict[str, Any]) -> StowError:
    others = [f"{item['source']} ({item['confidence']}: {item['reason']})" for item in model["candidates"][:3]]
    hint = f"it could be {', '.join(others)}: `comfystow get` takes the one you choose" if others else None
    return NotFoundError(f"no sure source is known for `{model['name']}`", hint=hint)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("this is no terminal to ask on", hint="add --yes to fetch what is shown")
    say("fetch these? [y/N]")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
