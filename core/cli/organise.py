"""`comfystow organise`: the models of a folder go where loaders look."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ..config import Settings
from ..engine.sync_client import SyncEngineClient
from ..errors import UsageError
from . import typed
from .changes import add_apply, plan_and_apply
from .options import add_common, installation_of, session_client_of, settings_of
from .output import say

_METHODS = ("auto", "hard", "reflink", "sym", "copy", "move")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("dir", type=typed.path, metavar="DIR", help="a folder with models, and the folders below it")
    parser.add_argument(
        "--link",
        choices=_METHODS,
        default="auto",
        help="auto: a hard link, or a reflink where only that leads there; across volumes choose copy, sym or move",
    )
    parser.add_argument(
        "--clash",
        choices=("leave", "rename"),
        default="leave",
        help="where another content has the name: leave it (default), or take the next free name",
    )
    parser.add_argument(
        "--choose",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="the folder of a file that nothing else tells; may be repeated",
    )
    parser.add_argument("--watch", action="store_true", help="with --apply: go on with what arrives, until Ctrl-C")
    add_apply(parser)
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show where each model belongs, and put it there with `--apply`."""
    if arguments.watch and not arguments.apply:
        raise UsageError("`--watch` acts: it needs `--apply`", hint="without both, the plan is shown")
    installation = installation_of(arguments)
    body = {
        "directory": str(arguments.dir.absolute()),
        "link": arguments.link,
        "clash": arguments.clash,
        "choose": dict(map(_choice, arguments.choose)),
    }
    with session_client_of(installation) as client:
        code = plan_and_apply(client, "/library/organise", body, arguments)
        if arguments.watch:
            _watch(client, body, arguments, settings_of(installation))
    return code


def _choice(text: str) -> tuple[str, str]:
    name, separator, folder = text.rpartition("=")
    if not separator or not name or not folder:
        raise UsageError(f"`{text}` is no choice", hint="write NAME=FOLDER, like x.safetensors=loras")
    return name, folder


def _watch(client: SyncEngineClient, body: dict[str, Any], arguments: argparse.Namespace, settings: Settings) -> None:
    """Look at names and times every few seconds; what has come is organised when all has been still for a while."""
    say(f"watching {arguments.dir}; Ctrl-C ends it")
    done = last = _seen(arguments.dir)
    still_since = time.monotonic()
    while True:
        time.sleep(settings.organise_check_seconds)
        now = _seen(arguments.dir)
        if now != last:
            last, still_since = now, time.monotonic()
        elif now != done and time.monotonic() - still_since > settings.library_settle_seconds:
            plan_and_apply(client, "/library/organise", body, arguments)
            done = now


def _seen(folder: Path) -> frozenset[tuple[str, int, int]]:
    found = set()
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        found.add((str(path), status.st_size, status.st_mtime_ns))
    return frozenset(found)
