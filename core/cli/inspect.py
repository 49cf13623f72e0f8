"""`comfystow inspect`: what a model file holds, from its header alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..engine.connection import error_of_code
from ..engine.sync_client import SyncEngineClient
from ..errors import StowError
from ..paths import has_model_suffix
from ..records.download import ErrorInfo
from ..records.json import to_json
from ..units import format_bytes
from .options import add_common, installation_of, session_client_of
from .output import exit_code_of, say, show, show_error, show_json

_TITLES = ("kind", "base_model", "folder", "precision", "format")
_MOST_REASON_CHARS = 160


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE|REF", help="a file of this machine, or any reference")
    parser.add_argument("--explain", action="store_true", help="show what each answer rests on, and the metadata")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look into each. Files need no engine; of remote ones it reads some kilobytes."""
    rows: dict[str, dict[str, Any]] = {ref: _local(ref) for ref in arguments.files if _is_path(ref)}
    remote = [ref for ref in dict.fromkeys(arguments.files) if ref not in rows]
    if remote:
        with session_client_of(installation_of(arguments)) as client:
            rows |= _remote(client, remote)
    found = [rows[ref] for ref in arguments.files]
    if arguments.json:
        show_json(found)
    errors = []
    for row in found:
        if row["error"] is not None:
            told = row["error"]
            errors.append(error_of_code(told["code"])(told["message"], hint=told["hint"]))
            say(f"{row['ref']}:")
            show_error(errors[-1])
        elif not arguments.json:
            _show(row, explain=arguments.explain)
    return exit_code_of(errors)


def _is_path(ref: str) -> bool:
    """Tell what is, or was meant to be, a file of this machine: with the name of a model, and no reference."""
    return ref != "" and (Path(ref).exists() or ("://" not in ref and has_model_suffix(ref)))


def _local(ref: str) -> dict[str, Any]:
    from ..sources.inspection import Inspection, inspect_file

    try:
        found = inspect_file(Path(ref), ref)
    except StowError as err:
        found = Inspection(ref=ref, path=str(Path(ref).absolute()), error=ErrorInfo.of(err))
    data: dict[str, Any] = to_json(found)
    return data


def _remote(client: SyncEngineClient, refs: list[str]) -> dict[str, dict[str, Any]]:
    answer = client.call("POST", "/inspect", {"refs": refs})
    return dict(zip(refs, answer["files"], strict=True))


def _show(row: dict[str, Any], *, explain: bool) -> None:
    show(f"{row['ref']}:")
    for name in _TITLES:
        more = {"kind": row["detail"], "base_model": row["base_model_version"]}.get(name)
        show(f"  {name.replace('_', ' '):<11} {row[name] or 'unknown'}{f' ({more})' if more else ''}")
    if row["alternatives"]:
        show(f"  {'choose':<11} {' or '.join(row['alternatives'])}")
    if row["trigger_words"]:
        show(f"  {'words':<11} {', '.join(row['trigger_words'])}")
    if row["parameters"] is not None:
        show(f"  {'parameters':<11} {row['parameters']:,} in {row['tensors']} tensors")
    vram = f", in VRAM {format_bytes(row['vram_bytes'])}" if row["vram_bytes"] is not None else ""
    show(f"  {'size':<11} {format_bytes(row['size_bytes'])}{vram}")
    if explain:
        for line in row["evidence"]:
            show(f"  because     {line}")
        for line in row["rejected"]:
            show(f"  not         {line[:_MOST_REASON_CHARS]}")
        for name, value in row["training"].items():
            show(f"  training    {name}: {value}")
        for name, value in row["metadata"].items():
            show(f"  metadata    {name}: {str(value)[:200]}")
