"""What `ensure` and `lock` are given: workflows, prompts, pictures, manifests, locks, or COMFYSTOW_MODELS."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import StowError, UsageError
from . import typed
from .output import say, show_error


@dataclass(slots=True, kw_only=True)
class Wishes:
    """The bodies for the engine, each with what it came from, and what could not be read."""

    bodies: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failed: list[StowError] = field(default_factory=list)


def add_wishes(parser: argparse.ArgumentParser) -> None:
    """Add what says what is wanted, and what conditions go by."""
    parser.add_argument(
        "wishes", nargs="*", type=typed.path, metavar="WORKFLOW|MANIFEST",
        help="JSON of ComfyUI, an image it made, a folder of them, a models.yaml or models.lock; "
        "without any COMFYSTOW_MODELS says it",
    )  # fmt: skip
    add_conditions(parser)


def add_conditions(parser: argparse.ArgumentParser) -> None:
    """Add what the groups and conditions of a manifest go by."""
    add_facts(parser)
    parser.add_argument("--group", action="append", default=[], metavar="NAME", help="take this group of the manifest")
    parser.add_argument("--profile", help="the profile that conditions ask for")


def add_facts(parser: argparse.ArgumentParser) -> None:
    """Add what stands for this machine's own GPU."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="FACT=VALUE", dest="facts",
        help="vram_gb=24 or gpu_arch=ada, in place of this machine's own",
    )  # fmt: skip


def facts_of(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the facts that were given. Raises: UsageError."""
    facts: dict[str, object] = {}
    for text in arguments.facts:
        name, equals, value = text.partition("=")
        if not equals or not value or name not in {"vram_gb", "gpu_arch", "profile"}:
            raise UsageError(
                f"`--set {text[:60]}` is no fact", hint="write --set vram_gb=24, gpu_arch=ada, profile=pod"
            )
        facts[name] = _number(value) if name == "vram_gb" else value
    profile = getattr(arguments, "profile", None)  # `missing` reads no manifest
    if profile is not None:
        facts["profile"] = profile
    return facts


def read_wishes(arguments: argparse.Namespace) -> Wishes:
    """Read what is wanted; a file that cannot be read is told and hinders no other. Raises: UsageError."""
    found = Wishes()
    facts = facts_of(arguments)
    common: dict[str, object] = {"facts": facts, "groups": list(arguments.group)}
    for path in arguments.wishes or _of_variable(found, common):
        try:
            for name, body in _bodies(path, found):
                found.bodies.append((name, {**body, **(common if "manifest" in body else {})}))
        except StowError as err:
            show_error(err)
            found.failed.append(err)
    return found


def _of_variable(found: Wishes, common: dict[str, object]) -> list[Path]:
    from ..workflow.models_variable import VARIABLE, models_of

    text = os.environ.get(VARIABLE, "")
    if not text.strip():
        raise UsageError("nothing is wanted", hint=f"give a workflow or a manifest, or set {VARIABLE}")
    wanted = models_of(text)
    if isinstance(wanted, Path):
        return [wanted]
    found.bodies.append((VARIABLE, {"manifest": wanted, **common}))
    return []


def _bodies(path: Path, found: Wishes) -> Iterator[tuple[str, dict[str, Any]]]:
    from ..workflow.load import load_document
    from ..workflow.wish_files import LOCK, MANIFESTS, manifest_body, read_text

    suffix = path.suffix.lower()
    if suffix == LOCK:
        yield str(path), {"lock": read_text(path)}
    elif suffix in MANIFESTS:
        yield str(path), manifest_body(path)
    else:
        for file in files_of(path):
            try:
                yield str(file), {"workflow": load_document(file)}
            except StowError as err:
                show_error(err)
                found.failed.append(err)


def files_of(path: Path) -> list[Path]:
    """Return a file, or those of a folder that can hold a workflow; where there is none it is told."""
    from ..workflow.load import workflow_files

    found = list(workflow_files(path))
    if not found:
        say(f"no file in `{path}` can hold a workflow: they end with .json, .png or .webp")
    return found


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UsageError(f"`{text[:40]}` is no amount of memory", hint="write it in GB, as in vram_gb=24")
    return value
