"""Everything that the set-up makes lies outside the checkout.

    $COMFYSTOW_CACHE_DIR, else $XDG_CACHE_HOME/comfystow, else ~/.cache/comfystow
        NAME-KEY/            one entry; KEY is a hash of what it was made from
        NAME-KEY/.complete   written last: an entry without it is swept away and made anew
        NAME-KEY.lock        held by the process that makes the entry
        logs/                output of the programs that made the entries

An entry is made under its final name, because a virtual environment cannot be moved: its scripts name their own folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .say import SetupError, step

try:
    import fcntl
except ImportError:  # Windows: two set-ups at once are not guarded there
    fcntl = None  # type: ignore[assignment]

_MARKER = ".complete"


def cache_root() -> Path:
    """Give the folder of the cache; it need not exist yet."""
    if chosen := os.environ.get("COMFYSTOW_CACHE_DIR"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "comfystow"


def key_of(made_from: Sequence[str]) -> str:
    """Hash what an entry is made from."""
    return hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:12]


class Cache:
    """The entries under one root."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root()
        checkout = Path(__file__).resolve().parents[3]
        if self.root.is_relative_to(checkout):
            raise SetupError(
                f"the cache {self.root} lies inside the checkout; set COMFYSTOW_CACHE_DIR to another folder"
            )

    def log(self, name: str) -> Path:
        """Give the path of the log of that name."""
        return self.root / "logs" / f"{name}.log"

    def path_of(self, name: str, made_from: Sequence[str]) -> Path:
        """Give the path of an entry, made or not."""
        return self.root / f"{name}-{key_of(made_from)}"

    def entry(self, name: str, made_from: Sequence[str], what: str, build: Callable[[Path], None]) -> Path:
        """Give the entry, made by `build` in an empty folder when it is not there whole."""
        path = self.path_of(name, made_from)
        if (path / _MARKER).exists():
            return path
        with self._locked(path):
            if (path / _MARKER).exists():  # another process made it meanwhile
                return path
            if path.exists():
                shutil.rmtree(path)
            path.mkdir(parents=True)
            with step(what):
                build(path)
            (path / _MARKER).write_text("\n".join(made_from), encoding="utf-8")
        return path

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with path.with_name(path.name + ".lock").open("w") as handle:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
