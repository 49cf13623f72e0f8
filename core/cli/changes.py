"""What the commands that change files share: a plan is made and shown, and carried out when asked for."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from typing import Any

from ..engine.sync_client import SyncEngineClient
from ..units import format_bytes
from .output import say, show_json

_LOOK_SECONDS = 0.1
_ON_THE_WAY = frozenset({"planning", "applying"})
_IDLE = frozenset({"skip", "leave"})
_VERBS = {
    "link": "{from} -> {to}",
    "move": "{from} -> {to}",
    "replace": "{to} = {from}",
    "split": "{to}",
    "skip": "{from} = {to}",
    "restore": "{to}",
}


def add_apply(parser: argparse.ArgumentParser) -> None:
    """Add the switch of all commands that show first."""
    parser.add_argument("--apply", action="store_true", help="do it; without this it is only shown")


def plan_and_apply(client: SyncEngineClient, path: str, body: dict[str, Any], arguments: argparse.Namespace) -> int:
    """Make a plan, show it, and carry it out with `--apply`. Raises: StowError."""
    change = finished(client, client.call("POST", path, {**body, "apply": False}))
    if arguments.apply and to_do(change):
        change = finished(client, client.call("POST", path, {"apply": change["id"]}))
    return report(change, arguments, applied=arguments.apply)


def finished(client: SyncEngineClient, change: dict[str, Any]) -> dict[str, Any]:
    """Wait for a change that goes on, and return it as it is then, with all actions. Raises: StowError."""
    told = ""
    while change["state"] in _ON_THE_WAY:
        if sys.stderr.isatty() and (line := _progress(change)) != told:
            say(line)
            told = line
        time.sleep(_LOOK_SECONDS)
        change = client.call("GET", f"/library/changes/{change['id']}")
    if change["state"] != "planned":  # an answer lists what is not done; here every file gets its line
        change = client.call("GET", f"/library/changes/{change['id']}?rows=all")
    return change


def _progress(change: dict[str, Any]) -> str:
    of = f" of {change['total']}" if change["total"] else ""
    return f"{change['state']}: {change['done']}{of} files"


def report(change: dict[str, Any], arguments: argparse.Namespace, *, applied: bool) -> int:
    """Show a plan or what became of it; the exit code is 1 where something failed."""
    if arguments.json:
        show_json(change["actions"])
    else:
        for line in lines_of(change["actions"]):
            print(line)
    for problem in change["problems"]:
        say(f"note: {plain(problem['path'])}: {problem['reason']}" if problem["path"] else f"note: {problem['reason']}")
    say(_total(change, applied=applied))
    return 1 if change["failed"] or (applied and change["state"] == "stopped") else 0


def to_do(change: dict[str, Any]) -> int:
    """Return how many actions a plan has that do something."""
    return sum(row["action"] not in _IDLE for row in change["actions"])


def lines_of(rows: Iterable[dict[str, Any]]) -> Iterable[str]:
    """Yield a line for each action."""
    for row in rows:
        what = _VERBS.get(row["action"], "{from}").format_map({name: plain(row[name]) for name in ("from", "to")})
        size = format_bytes(row["bytes"])
        why = row["conflict"] or row["reason"]
        how = f"{row['method']}; " if row["method"] and row["action"] not in {"trash", "restore"} else ""
        end = "" if row["step"] in {"planned", "done"} else f" [{row['step']}: {row['note']}]"
        yield f"{row['action']:<8}{what} ({size}; {how}{why}){end}"


def _total(change: dict[str, Any], *, applied: bool) -> str:
    count = to_do(change)
    left = f"; {change['conflicts']} left for a choice" if change["conflicts"] else ""
    if not count:
        return f"nothing is to be done{left}"
    saved = f", {format_bytes(change['saved_bytes'])} to be freed" if change["saved_bytes"] else ""
    if not applied:
        return f"{count} to do, {format_bytes(change['bytes'])}{saved}{left}; `--apply` does it"
    unfinished = "".join(f", {change[name]} {name}" for name in ("skipped", "failed") if change[name])
    back = f"; `comfystow undo {change['id']}` takes it back" if change["undoable"] else ""
    if change["kind"] == "prune" and change["done"]:
        back += "; the space is free when the trash is emptied: `comfystow trash empty --apply`"
    return f"{change['done']} done{unfinished}{left}{back}"


def plain(text: str | None) -> str:
    """Make a name fit for a terminal. It may hold anything: line ends and control characters are shown, not obeyed."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text or "?")
