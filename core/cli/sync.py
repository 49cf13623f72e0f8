"""`comfystow sync`: make the library hold exactly what a lock says."""

from __future__ import annotations

import argparse
from typing import Any

from ..engine.sync_client import SyncEngineClient
from ..errors import NameTakenError, StowError
from ..units import format_bytes
from ..workflow.wish_files import read_text
from . import typed
from .changes import finished, lines_of, to_do
from .fetch import Wanted
from .get import fetch_and_report
from .options import add_common, installation_of, session_client_of
from .output import exit_code_of, say, show, show_error, show_json

EXIT_NOT_IN_SYNC = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("lock", type=typed.path, metavar="models.lock", help="what `comfystow lock` wrote")
    parser.add_argument("--check", action="store_true", help="change nothing; the exit code is 3 when not in sync")
    parser.add_argument(
        "--prune",
        action="store_true",
        help="move models that the lock does not name into the trash; with --check they are only told",
    )
    parser.add_argument("--sizes-only", action="store_true", help="compare lengths, and read no file for its SHA-256")
    parser.set_defaults(detach=False)  # what was fetched is compared again
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare, fetch what is missing, compare again."""
    text = read_text(arguments.lock)
    with session_client_of(installation_of(arguments)) as client:
        state = _compared(client, text, arguments)
        if arguments.check:
            return _tell(state, arguments)
        errors = _in_the_way(state)
        wanted = [_wanted(row) for row in state["entries"] if row["state"] == "missing"]
        code = fetch_and_report(client, wanted, arguments) if wanted else 0
        state = _compared(client, text, arguments) if wanted else state
        if arguments.prune and state["in_sync"] and state["extra"]:
            code = _prune(client, state) or code
            state = _compared(client, text, arguments)
    if not wanted and arguments.json:
        show_json([])
    for error in errors:
        show_error(error)
    _tell_extra(state, prune=False)
    if code or errors:
        return code or exit_code_of(errors)
    say(_held(state) if state["in_sync"] else "not in sync")
    return 0 if _is_held(state, prune=arguments.prune) else EXIT_NOT_IN_SYNC


def _prune(client: SyncEngineClient, state: dict[str, Any]) -> int:
    """Move what the lock does not name into the trash, by the library's own plan. Raises: StowError."""
    client.call("POST", "/library/scan")  # the plan knows files by the index
    body = {"paths": [row["path"] for row in state["extra"]], "apply": False}
    plan = finished(client, client.call("POST", "/library/delete", body))
    change = finished(client, client.call("POST", "/library/delete", {"apply": plan["id"]})) if to_do(plan) else plan
    for line in lines_of(change["actions"]):
        say(line)
    if change["undoable"]:
        say(
            f"in the trash; `comfystow undo {change['id']}` takes it back, and "
            "`comfystow trash empty --apply` frees the space"
        )
    return 1 if change["failed"] or change["state"] == "stopped" else 0


def _compared(client: SyncEngineClient, text: str, arguments: argparse.Namespace) -> dict[str, Any]:
    body = {"lock": text, "sizes_only": arguments.sizes_only}
    state: dict[str, Any] = client.call("POST", "/manifest/check", body)
    return state


def _tell(state: dict[str, Any], arguments: argparse.Namespace) -> int:
    """Show what `--check` found."""
    if arguments.json:
        show_json(state)
    else:
        for row in state["entries"]:
            if row["state"] != "held":
                show(f"{row['state']:<8} {row['folder']}/{row['name']}{': ' + row['reason'] if row['reason'] else ''}")
        _tell_extra(state, prune=arguments.prune)
        if state["in_sync"]:
            say(_held(state))
    return 0 if _is_held(state, prune=arguments.prune) else EXIT_NOT_IN_SYNC


def _held(state: dict[str, Any]) -> str:
    return f"{len(state['entries'])} files are here, and are the lock's"


def _is_held(state: dict[str, Any], *, prune: bool) -> bool:
    return bool(state["in_sync"]) and not (prune and state["extra"])


def _tell_extra(state: dict[str, Any], *, prune: bool) -> None:
    if not state["extra"]:
        return
    say(f"{len(state['extra'])} files are here that the lock does not name, {format_bytes(state['extra_bytes'])}")
    for row in state["extra"] if prune else ():
        say(f"  {row['folder']}/{row['name']} ({format_bytes(row['size_bytes'])})")


def _in_the_way(state: dict[str, Any]) -> list[StowError]:
    return [
        NameTakenError(
            f"`{row['folder']}/{row['name']}` is another file: {row['reason']}",
            hint="nothing is overwritten; move it away or remove it, and sync again",
        )
        for row in state["entries"]
        if row["state"] == "other"
    ]


def _wanted(row: dict[str, Any]) -> Wanted:
    folder, _, name = row["name"].rpartition("/")
    return Wanted(
        ref=row["source"], folder_name=row["folder"], subfolder=folder or None, filename=name, sha256=row["sha256"]
    )
