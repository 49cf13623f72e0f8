"""The access secret: what a browser on another machine shows once.

<state folder>/access_secret        one line, 0600, made when first asked for
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from ..errors import ReadOnlyError

_NAME = "access_secret"
_MAX_BYTES = 1024


def access_secret(state_dir: Path) -> str:
    """Return the secret of an installation; the first call makes it. Raises: ReadOnlyError."""
    path = state_dir / _NAME
    try:
        found = _read(path)
        if found is None:
            state_dir.mkdir(parents=True, exist_ok=True)
            _create(path, secrets.token_urlsafe(24))
            found = _read(path)
    except OSError as err:
        raise ReadOnlyError(f"cannot keep the access secret in `{state_dir}`: {err.strerror}") from err
    if found is None:
        raise ReadOnlyError(f"`{path}` is empty", hint="remove it; a new one is made")
    return found


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("ascii", "replace").strip() or None
    except FileNotFoundError:
        return None


def _create(path: Path, secret: str) -> None:
    """Write it whole under another name, then give it its own unless somebody else was first."""
    temporary = path.with_name(f"{_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
        with contextlib.suppress(FileExistsError):
            if os.name == "nt":
                temporary.rename(path)
            else:
                os.link(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
