"""`access-secret` in the state folder (0600): what a browser on another machine must know; made when first needed."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from ..errors import ReadOnlyError

_NAME = "access-secret"
_MAX_LENGTH = 1024


def access_secret(state_dir: Path) -> str:
    """Return the secret. Raises: ReadOnlyError: there is none, and none can be written."""
    path = state_dir / _NAME
    if (known := _read(path)) is not None:
        return known
    made = secrets.token_urlsafe(24)
    temporary = state_dir / f".{_NAME}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made + "\n")
        # A link fails where the name exists: of two who make one at once, the first wins and both read the same.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    except OSError as err:
        raise ReadOnlyError(f"cannot write `{path}`: {err.strerror}") from err
    finally:
        with contextlib.suppress(OSError):  # a read-only file system refuses this too, though nothing is there
            temporary.unlink()
    return _read(path) or made


def has_secret(state_dir: Path) -> bool:
    """Tell whether there is one already."""
    return _read(state_dir / _NAME) is not None


def keep_secret(state_dir: Path, secret: str) -> None:
    """Let a secret that the owner chose be the one. Raises: ReadOnlyError: it cannot be written."""
    path = state_dir / _NAME
    if _read(path) == secret:
        return
    temporary = state_dir / f".{_NAME}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
        temporary.replace(path)
    except OSError as err:
        raise ReadOnlyError(f"cannot write `{path}`: {err.strerror}") from err
    finally:
        with contextlib.suppress(OSError):  # a read-only file system refuses this too, though nothing is there
            temporary.unlink()


def _read(path: Path) -> str | None:
    try:
        with path.open("r", encoding="ascii") as file:
            return file.read(_MAX_LENGTH).strip() or None
    except (OSError, ValueError):
        return None
