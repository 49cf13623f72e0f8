"""Passwords of the services: given by the environment, else made once and kept.

    <folder>/pod-passwords.json   0600: `{"jupyter": …, "files": …}`

The folder is our state folder on the volume, where that keeps a file's mode; else a machine-local one, and the
passwords last as long as the container. None of them ever stands in an argument or a log; what was made at this start
is shown once.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_NAME = "pod-passwords.json"
_BYTES = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Passwords:
    """By service. `made` are those that nobody has seen yet; `problem` is why they cannot be kept."""

    by_service: Mapping[str, str] = field(repr=False)
    made: frozenset[str] = frozenset()
    problem: str | None = None


def passwords_for(services: Mapping[str, str | None], folder: Path) -> Passwords:
    """Return a password for each service: the one given (the value), else the one kept, else a new one that is kept."""
    path = folder / _NAME
    kept = _read(path)
    made = {name: secrets.token_urlsafe(_BYTES) for name, given in services.items() if not given and name not in kept}
    problem = _keep(path, {**kept, **made}) if made else None
    known = {**kept, **made, **{name: given for name, given in services.items() if given}}
    return Passwords(by_service={name: known[name] for name in services}, made=frozenset(made), problem=problem)


def kept_passwords(services: Mapping[str, str | None], folder: Path) -> Passwords:
    """Return what there is, and make nothing: a dry run."""
    kept = _read(folder / _NAME)
    return Passwords(by_service={name: given or kept.get(name, "") for name, given in services.items()})


def _read(path: Path) -> dict[str, str]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {name: text for name, text in data.items() if isinstance(name, str) and isinstance(text, str) and text}


def _keep(path: Path, passwords: Mapping[str, str]) -> str | None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(passwords, file)
        temporary.replace(path)
    except OSError as err:
        return f"they cannot be kept in `{path.parent}`: {err.strerror}"
    return None
