"""`comfystow get`: download references."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import PurePosixPath

from ..engine.sync_client import SyncEngineClient
from ..errors import UsageError
from ..units import parse_size
from . import typed
from .fetch import Wanted, fetch, submit_all
from .options import add_common, installation_of, session_client_of
from .output import exit_code_of, say, show_error, show_json
from .plan import dry_run

_INIT_SESSION = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("refs", nargs="+", metavar="REF", help="a URL, hf://…, civitai://…, urn:air:… or a SHA-256")
    parser.add_argument("--to", metavar="FOLDER", help="ComfyUI's name of a folder, `loras` or `loras/flux`")
    parser.add_argument("--name", help="file name; else the source's")
    parser.add_argument("--sha256", metavar="HEX", help="the digest that the file must have")
    parser.add_argument(
        "--include", action="append", metavar="PATTERN", help="of a repository: files like this; may be repeated"
    )
    parser.add_argument("--exclude", action="append", metavar="PATTERN", help="of a repository: but none like this")
    parser.add_argument(
        "--connections", type=typed.count, metavar="N", help="connections of each file; else as many as help"
    )
    parser.add_argument("--limit-rate", metavar="RATE", help="bandwidth of each file, like 20M")
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
    parser.add_argument("--detach", action="store_true", help="leave it to the engine, and return")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Submit, follow, report."""
    wanted = wanted_of(arguments)
    with session_client_of(installation_of(arguments)) as client:
        if arguments.include or arguments.exclude:
            wanted = [member for item in wanted for member in expand(client, item, arguments)]
        if arguments.dry_run:
            return dry_run(client, wanted, arguments)
        return fetch_and_report(client, wanted, arguments)


def expand(client: SyncEngineClient, repository: Wanted, arguments: argparse.Namespace) -> list[Wanted]:
    """Turn a repository into the files that the patterns choose; their subfolders are kept. Raises: StowError."""
    body = {"source": repository.ref, "include": arguments.include or [], "exclude": arguments.exclude or []}
    found = client.call("POST", "/expand", body)
    if found["skipped"]:
        say(f"{len(found['skipped'])} files are no models and stay there: {', '.join(found['skipped'][:5])}")
    return [
        replace(
            repository,
            ref=file["source"],
            folder_name=repository.folder_name or file["folder_name"],
            subfolder="/".join(filter(None, (repository.subfolder, file["subfolder"]))) or None,
            sha256=file["sha256"],
        )
        for file in found["files"]
    ]


def fetch_and_report(client: SyncEngineClient, wanted: list[Wanted], arguments: argparse.Namespace) -> int:
    """Bring what is wanted and say how that went; shared with `ensure`."""
    results = submit_all(client, wanted, []) if arguments.detach else fetch(client, wanted)
    errors = [result.error for result in results if result.error is not None]
    if arguments.json:
        show_json([result.to_json() for result in results])
    for result in results:
        if result.error is not None:
            say(f"{result.ref}:")
            show_error(result.error)
        elif not arguments.json and result.path is not None:
            print(result.path)
    if arguments.detach and len(errors) < len(results):
        say("left to the engine: `comfystow downloads` shows how far it is")
    _end_with_container(client)
    return exit_code_of(errors)


def _end_with_container(client: SyncEngineClient) -> None:
    """End the engine that we started, where nothing outlives the command: a `RUN` step of an image build.

    There the command is, or runs below, the first process of its own process namespace, without a session before it.
    """
    if os.name == "posix" and client.started_engine and os.getsid(0) <= _INIT_SESSION:
        client.stop(reason="end of the command", if_idle=True)


def wanted_of(arguments: argparse.Namespace) -> list[Wanted]:
    """Turn arguments into requests. Raises: UsageError, ConfigError."""
    if (arguments.include or arguments.exclude) and (arguments.name or arguments.sha256):
        raise UsageError("`--name` and `--sha256` belong to one file", hint="leave them out, or name the file")
    if len(arguments.refs) > 1 and (arguments.name or arguments.sha256):
        raise UsageError("`--name` and `--sha256` belong to one reference", hint="run the command once for each")
    folder, subfolder = folders_of(arguments.to)
    return [
        Wanted(
            ref=ref,
            folder_name=folder,
            subfolder=subfolder,
            filename=arguments.name,
            sha256=arguments.sha256,
            connections=arguments.connections,
            limit_rate_bytes_per_second=parse_size(arguments.limit_rate) if arguments.limit_rate else None,
        )
        for ref in arguments.refs
    ]


def folders_of(text: str | None) -> tuple[str | None, str | None]:
    """Split `loras/flux` into ComfyUI's folder and what lies below it. Raises: UsageError."""
    if text is None:
        return None, None
    parts = PurePosixPath(text.replace("\\", "/")).parts
    if not parts:
        raise UsageError("`--to` is empty", hint="name a folder, or leave it out")
    return parts[0], ("/".join(parts[1:]) or None)
