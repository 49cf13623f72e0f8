"""`comfystow lock`: pin what workflows and manifests want."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from ..engine.connection import error_of_code
from ..errors import ManifestError, NotFoundError, StorageError, StowError
from ..records.download import ErrorInfo
from ..records.json import to_json
from . import typed
from .options import add_common, installation_of, session_client_of
from .output import exit_code_of, say, show_error, show_json
from .wishes import add_wishes, read_wishes


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_wishes(parser)
    parser.add_argument(
        "-o", "--output", type=typed.path, metavar="FILE", help="write the lock here; else it is printed"
    )
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Pin everything; a lock is written only when nothing is left out."""
    wishes = read_wishes(arguments)
    errors: list[StowError] = list(wishes.failed)
    entries: list[dict[str, Any]] = []
    with session_client_of(installation_of(arguments)) as client:
        for name, body in wishes.bodies:
            try:
                answer = client.call("POST", "/manifest/lock", body)
            except StowError as err:
                told = [err]
            else:
                entries += answer["entries"]
                told = _left_out(answer)
            for error in told:
                say(f"{name}:")
                show_error(error)
            errors += told
    if errors:
        if arguments.json:
            show_json({"errors": [to_json(ErrorInfo.of(error)) for error in errors]})
        return exit_code_of(errors)
    text = text_of(entries)
    if arguments.output is not None:
        write_text(arguments.output, text)
        say(f"{arguments.output}: {len(entries)} files are pinned")
    if arguments.json:
        show_json(entries)
    elif arguments.output is None:
        print(text, end="")
    return 0


def text_of(entries: list[dict[str, Any]]) -> str:
    """Return the text of one lock for all. Raises: ManifestError: two files want one place."""
    from ..workflow.lock import LockEntry, write_lock

    return write_lock(
        LockEntry(folder_name=row["folder"], **{name: value for name, value in row.items() if name != "folder"})
        for row in entries
    )


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all. Raises: StorageError."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as err:
        with contextlib.suppress(OSError):  # a read-only file system refuses this too, though nothing is there
            temporary.unlink()
        raise StorageError(f"`{path}` cannot be written: {err.strerror or err}", hint="choose another place") from err


def _left_out(answer: dict[str, Any]) -> list[StowError]:
    errors: list[StowError] = []
    for row in answer["failed"]:
        told = row["error"]
        kind = error_of_code(told["code"])
        errors.append(kind(f"{row['source']}: {told['message']}", hint=told["hint"]))
    for model in answer["choices"]:
        others = ", ".join(f"{item['source']} ({item['confidence']})" for item in model["candidates"][:3])
        hint = f"write one into a manifest: {others}" if others else "write its source into a manifest"
        errors.append(NotFoundError(f"no sure source is known for `{model['name']}`", hint=hint))
    if not errors and answer["lock"] is None:
        errors.append(ManifestError("something was left out of the lock"))
    return errors
