"""`comfystow store`: what machines share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..config import Settings
from ..errors import ConfigError, NotFoundError, StowError, UsageError
from ..paths import has_model_suffix
from ..records.download import ErrorInfo
from ..records.json import to_json
from ..records.source import Digest
from ..units import format_bytes
from .fetch import Wanted
from .get import fetch_and_report, folders_of
from .options import add_common, installation_of, session_client_of, settings_of
from .output import exit_code_of, say, show, show_error, show_json

if TYPE_CHECKING:
    from ..sources.store import SharedStore


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("ls", "push", "pull"), help="list it, fill it, fetch from it")
    parser.add_argument("items", nargs="*", metavar="FILE|SHA256", help="files or folders to push, digests to pull")
    parser.add_argument("--to", metavar="FOLDER", help="pull: ComfyUI's name of a folder")
    parser.add_argument("--name", help="pull: the name that the file gets")
    parser.set_defaults(detach=False)
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it. Listing and pushing need no engine."""
    installation = installation_of(arguments)
    settings = settings_of(installation)
    if settings.shared_store is None:
        raise ConfigError("there is no shared store", hint="set COMFYSTOW_SHARED_STORE=s3://bucket/prefix")
    if arguments.action == "ls":
        _leave(_list(settings, as_json=arguments.json))
    if not arguments.items:
        raise UsageError(f"`{arguments.action}` needs {'files' if arguments.action == 'push' else 'digests'}")
    if arguments.action == "push":
        _leave(_push(settings, [Path(item) for item in arguments.items], as_json=arguments.json))
    wanted = [_wanted(item, arguments) for item in arguments.items]
    with session_client_of(installation) as client:
        return fetch_and_report(client, wanted, arguments)


def _leave(code: int) -> NoReturn:
    """End the process at once, with everything said.

    obstore's threads may hold Python objects when the interpreter is taken down, and then the process aborts: seen as
    exit by SIGABRT after a push whose last word had been printed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _open(settings: Settings) -> SharedStore:
    from ..net.egress import EgressGate
    from ..net.hosts import AllowList
    from ..sources.store import SharedStore

    store = SharedStore.open(settings, os.environ, EgressGate(AllowList.build(settings)))
    if store is None:
        raise ConfigError("there is no shared store")
    return store


def _list(settings: Settings, *, as_json: bool) -> int:
    import asyncio

    async def contents() -> list[tuple[Digest, int]]:
        return [row async for row in _open(settings).contents()]

    rows = asyncio.run(contents())
    if as_json:
        show_json([{"sha256": digest.hex, "size_bytes": size} for digest, size in rows])
        return 0
    for digest, size in rows:
        show(f"{digest.hex}  {format_bytes(size)}")
    say(f"{len(rows)} files, {format_bytes(sum(size for _, size in rows))}")
    return 0


def _push(settings: Settings, items: list[Path], *, as_json: bool) -> int:
    """Hash and put each; what is there already is not sent."""
    import asyncio

    store = _open(settings)
    rows: list[dict[str, Any]] = []
    errors: list[StowError] = []
    for path in _files(items):
        row: dict[str, Any] = {"path": str(path), "sha256": None, "pushed": False, "error": None}
        try:
            digest = _digest_of(path)
            row["sha256"] = digest.hex
            row["pushed"] = asyncio.run(store.push(digest, path))
        except StowError as err:
            row["error"] = to_json(ErrorInfo.of(err))
            errors.append(err)
            say(f"{path}:")
            show_error(err)
        rows.append(row)
        if not as_json and row["error"] is None:
            show(f"{row['sha256']}  {path}{'' if row['pushed'] else ' (was there already)'}")
    if as_json:
        show_json(rows)
    return exit_code_of(errors)


def _files(items: list[Path]) -> Iterator[Path]:
    """Yield files as they are given, and the models below folders."""
    for item in items:
        if item.is_dir():
            yield from sorted(path for path in item.rglob("*") if path.is_file() and has_model_suffix(path.name))
        else:
            yield item


def _digest_of(path: Path) -> Digest:
    from ..provision.placing.present import sha256_of

    try:
        return sha256_of(path, lambda: False)
    except OSError as err:
        raise NotFoundError(f"cannot read `{path}`: {err.strerror or err}", hint="check the path") from err


def _wanted(item: str, arguments: argparse.Namespace) -> Wanted:
    try:
        digest = Digest.parse(item)
    except ValueError:
        raise UsageError(f"`{item[:80]}` is no SHA-256", hint="`comfystow store ls` lists them") from None
    folder, subfolder = folders_of(arguments.to)
    if folder is None or arguments.name is None:
        raise UsageError("a stored file has neither folder nor name", hint="say --to FOLDER and --name NAME")
    return Wanted(
        ref=digest.hex,
        folder_name=folder,
        subfolder=subfolder,
        filename=arguments.name,
        sha256=digest.hex,
    )
