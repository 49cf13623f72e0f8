"""`credentials.json` in the state folder: `{"version": 1, "tokens": {"huggingface": "hf_…"}}`, readable by its owner.

It is written to a new file beside it and renamed, so that a reader sees the old or the new one.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path

from ..errors import ReadOnlyError
from .secrets import Secret

_log = logging.getLogger("comfystow.credentials")
_MAX_SIZE_BYTES = 1 << 20


class TokenFile:
    """The tokens that a user gave to `auth set`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._tokens: dict[str, Secret] = {}

    def __repr__(self) -> str:
        return f"TokenFile({self.path.name})"

    def read(self) -> dict[str, Secret]:
        """Return the tokens by provider; read again whenever the file changed."""
        try:
            state = self.path.stat()
        except OSError:
            self._seen, self._tokens = None, {}
            return {}
        seen = (state.st_ino, state.st_mtime_ns, state.st_size)
        if seen != self._seen:
            self._seen, self._tokens = seen, self._load(state)
        return dict(self._tokens)

    def write(self, provider: str, token: str) -> None:
        """Keep a token. Raises: ReadOnlyError: the folder cannot be written."""
        self._save({**self.read(), provider: Secret(token)})

    def remove(self, provider: str) -> bool:
        """Forget a token; tells whether there was one."""
        tokens = self.read()
        if tokens.pop(provider, None) is None:
            return False
        self._save(tokens)
        return True

    def _load(self, state: os.stat_result) -> dict[str, Secret]:
        if os.name == "posix" and state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            _log.warning("%s can be read by others; its permissions are narrowed", self.path.name)
            try:
                self.path.chmod(0o600)
            except OSError as err:
                _log.warning("cannot narrow the permissions of %s: %s", self.path.name, err.strerror)
        try:
            data = json.loads(self.path.read_bytes()[:_MAX_SIZE_BYTES])
            tokens = data["tokens"]
            return {str(name): Secret(text) for name, text in tokens.items() if isinstance(text, str) and text}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            _log.warning("%s cannot be read as credentials and is left alone", self.path.name)
            return {}

    def _save(self, tokens: dict[str, Secret]) -> None:
        import tempfile  # it brings random and shutil, and writing is rare

        text = json.dumps({"version": 1, "tokens": {name: secret.reveal() for name, secret in tokens.items()}})
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # mkstemp makes the file 0600 at once, whatever the umask.
            handle, name = tempfile.mkstemp(prefix=".credentials-", dir=self.path.parent)
            temporary = Path(name)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self.path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as err:
            raise ReadOnlyError(f"cannot write `{self.path}`: {err.strerror}") from err
