"""The machine-local folder of one engine.

    <base>/<key>/engine.lock    held with flock(2) for the engine's life
    <base>/<key>/start.lock     held by the one caller that is starting an engine
    <base>/<key>/engine.sock    the engine listens here; a stale one is removed under engine.lock only
    <base>/<key>/engine.json    who answers there (0600); written when it does, removed before it stops
    <base>/<key>/failed.json    why the last start failed

`<base>` is the setting `run_dir`, else `$XDG_RUNTIME_DIR/comfystow` (or /run/user/<uid>), else `/tmp/comfystow-<uid>`.
`<key>` is a hash of the state folder's real path. A lock on a network volume cannot be trusted, so none lies there.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, EngineError

#: sun_path holds 108 bytes with its final zero on Linux, 104 on macOS (unix(7); sys/un.h).
MAX_SOCKET_PATH_BYTES = 103

_SOCKET_NAME = "engine.sock"
_KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class RunDir:
    """The folder of one engine, which may not exist yet."""

    path: Path

    @property
    def engine_lock(self) -> Path:
        """Held by the living engine."""
        return self.path / "engine.lock"

    @property
    def start_lock(self) -> Path:
        """Held by the caller that starts one."""
        return self.path / "start.lock"

    @property
    def socket(self) -> Path:
        """Where the engine listens."""
        return self.path / _SOCKET_NAME

    @property
    def info(self) -> Path:
        """What tells who listens."""
        return self.path / "engine.json"

    @property
    def failure(self) -> Path:
        """What tells why the last start failed."""
        return self.path / "failed.json"

    @property
    def ours(self) -> bool:
        """True when the folder is there and nobody else can have written what lies in it."""
        try:
            return all(_flaw(path, path.lstat()) is None for path in (self.path.parent, self.path))
        except OSError:
            return False

    def create(self) -> RunDir:
        """Make the folder, and its base, for us alone. Raises: EngineError: somebody else's, or open to others."""
        private_folder(self.path.parent)
        private_folder(self.path)
        return self


def run_dirs(state_dir: Path, setting: str | None, environment: Mapping[str, str] | None = None) -> list[RunDir]:
    """Return the run directories in which an engine of the state folder may live; a new one goes to the first.

    There can be two: a service and a login session of one user differ in `XDG_RUNTIME_DIR`, and must find each other.
    Raises: ConfigError: the setting makes a socket path that is too long.
    """
    key = hashlib.sha256(os.fsencode(os.path.realpath(state_dir))).hexdigest()[:_KEY_LENGTH]
    if setting is not None:
        run_dir = RunDir(Path(setting).absolute() / key)
        if not _fits(run_dir):
            raise ConfigError(
                f"the run directory `{setting}` is too long for a socket",
                hint=f"a socket path may have {MAX_SOCKET_PATH_BYTES} bytes; choose a shorter COMFYSTOW_RUN_DIR",
            )
        return [run_dir]
    return [run_dir for base in run_bases(None, environment) if _fits(run_dir := RunDir(base / key))]


def run_bases(setting: str | None, environment: Mapping[str, str] | None = None) -> list[Path]:
    """Return the machine-local folders that may hold run directories; what is new goes to the first."""
    if setting is not None:
        return [Path(setting).absolute()]
    return list(_bases(os.environ if environment is None else environment))


def _bases(environment: Mapping[str, str]) -> Iterator[Path]:
    if os.name != "posix":
        yield Path(tempfile.gettempdir()) / "comfystow"
        return
    uid = os.getuid()
    runtime_dir = Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")
    # sudo and su keep the variable of another user; the specification demands that we own the folder.
    if runtime_dir.is_absolute() and _owned_by(runtime_dir, uid) and os.access(runtime_dir, os.W_OK):
        yield runtime_dir / "comfystow"
    yield Path(f"/tmp/comfystow-{uid}")  # noqa: S108 - its owner and mode are checked before use


def _owned_by(path: Path, uid: int) -> bool:
    try:
        return path.stat().st_uid == uid
    except OSError:
        return False


def _fits(run_dir: RunDir) -> bool:
    return len(os.fsencode(run_dir.socket)) <= MAX_SOCKET_PATH_BYTES


def private_folder(path: Path) -> None:
    """Make a folder that only we can enter, or prove that it is one.

    Raises: EngineError: it belongs to another user, others may enter it, or it is no folder.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as err:
        raise EngineError(f"cannot make the run directory `{path}`: {err.strerror}", hint=_HINT) from err
    flaw = _flaw(path, found)
    if flaw is not None:
        raise EngineError(f"the run directory `{path}` {flaw}", hint=_HINT)


def _flaw(path: Path, found: os.stat_result) -> str | None:
    if not stat.S_ISDIR(found.st_mode):
        return "is no folder"
    if os.name != "posix":
        return None
    if found.st_uid != os.getuid():
        return f"belongs to user {found.st_uid}, not to us"
    if found.st_mode & 0o077:
        return f"is open to others (mode {stat.S_IMODE(found.st_mode):o}; `chmod 700 {path}` closes it)"
    return None


_HINT = "set COMFYSTOW_RUN_DIR to a folder of your own on this machine"
