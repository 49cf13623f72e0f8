"""`engine.json`: who answers on the socket. It is there only while somebody does, unless that one was killed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import StowError
from ..records.json import from_json, to_json

_MAX_SIZE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """One living engine. Windows has no unix sockets in its Python: there it is a port and a token."""

    pid: int
    started_at: float
    protocol_version: int
    version: str
    socket: str | None = None
    port: int | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"EngineInfo(pid={self.pid}, version={self.version!r}, protocol_version={self.protocol_version})"


def read_info(path: Path) -> EngineInfo | None:
    """Return what is published, None when nothing usable is."""
    data = _read(path)
    try:
        return from_json(EngineInfo, data, strict=False) if data is not None else None
    except StowError:
        return None


def write_info(path: Path, info: EngineInfo) -> None:
    """Publish an engine, readable by its owner only."""
    _write(path, to_json(info))


def write_failure(path: Path, error: StowError) -> None:
    """Leave word of a start that failed, for the caller that waits for it."""
    _write(path, {"code": error.code, "message": error.message, "hint": error.hint, "pid": os.getpid()})


def read_failure(path: Path, pid: int) -> dict[str, object] | None:
    """Return why the engine with this process id failed to start."""
    data = _read(path)
    return data if isinstance(data, dict) and data.get("pid") == pid else None


def _read(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data: object = json.loads(file.read(_MAX_SIZE_BYTES))
            return data
    except (OSError, ValueError, RecursionError):
        return None


def _write(path: Path, data: object) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(data, file)
    temporary.replace(path)
