"""What `pod up` leaves on its machine, so that every other command there finds the same folders.

    <base>/pod.json    0600; written when a pod starts, removed when it ends; `<base>` as in `rundir`

A pod's ComfyUI keeps its user folder, and with it our state, on a volume that ComfyUI's own folder does not name; a
shell that is opened in the pod must not begin a second queue beside it.
"""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import EngineError, StowError
from ..records.json import from_json, to_json
from .rundir import private_folder, run_bases

#: A pod's controller tells its state at least this often; after three times as long its word counts no more.
TELL_SECONDS = 30.0

_NAME = "pod.json"
_MOST_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """A pod on this machine: who it is, and the folders that its ComfyUI was started with."""

    pid: int
    comfyui: Path
    state_dir: Path
    socket: Path
    extra_model_paths: tuple[Path, ...] = ()
    output_directory: Path | None = None
    volume: Path | None = None


def pod_file(run_dir: str | None) -> Path:
    """Return where a pod is published."""
    return run_bases(run_dir)[0] / _NAME


def write_pod(place: PodPlace, run_dir: str | None) -> Path:
    """Publish a pod. Raises: EngineError: the run directory is somebody else's; OSError."""
    path = pod_file(run_dir)
    private_folder(path.parent)
    temporary = path.with_name(f".{_NAME}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(to_json(place), file)
    temporary.replace(path)
    return path


def read_pod(run_dir: str | None = None, environment: Mapping[str, str] | None = None) -> PodPlace | None:
    """Return the pod that lives on this machine, None where there is none; what others could have written is none."""
    if run_dir is None:
        run_dir = (os.environ if environment is None else environment).get("COMFYSTOW_RUN_DIR") or None
    for base in run_bases(run_dir, environment):
        place = _read(base / _NAME)
        if place is not None and _lives(place.pid):
            return place
    return None


def _read(path: Path) -> PodPlace | None:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if os.name == "posix" and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022):
                return None
            return from_json(PodPlace, json.loads(file.read()), strict=False)
    except (OSError, ValueError, StowError):
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def ask_pod(place: PodPlace, question: Mapping[str, object], *, timeout_seconds: float = 5.0) -> Any:
    """Ask the pod's controller over its socket: one JSON line there, one back.

    Questions: `{"do": "status"}`, and `{"do": "start" | "stop" | "restart", "service": NAME}`. Raises: EngineError: it
    does not answer; StowError: what it answered, as the error it was.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(str(place.socket))
            connection.sendall(json.dumps(question).encode("utf-8") + b"\n")
            with connection.makefile("rb") as answer:
                data = json.loads(answer.readline(_MOST_ANSWER_BYTES))
    except (OSError, ValueError) as err:
        raise EngineError(f"the pod's controller does not answer: {err}", hint="its container's log says why") from None
    error = data.get("error") if isinstance(data, dict) else None
    if isinstance(error, dict):
        from .connection import error_of_code

        raise error_of_code(str(error.get("code")))(str(error.get("message")), hint=error.get("hint"))
    return data
