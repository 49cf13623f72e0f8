"""Find the engine of a state folder, start one when none lives, and replace one that is older than we are.

No two can win: an engine holds `engine.lock` for its life, and publishes `engine.json` only when it answers. One
caller at a time starts one (`start.lock`); the others wait for the answer, and take over when that caller dies.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..config import Settings
from ..errors import EngineError, EngineTooNewError
from .connection import BROKEN, ask_status, connect, error_of_code, headers_for, send
from .info import EngineInfo, read_failure, read_info
from .launch import launch
from .lock import FileLock
from .log import LOG_NAME, last_line
from .protocol import PROTOCOL_VERSION, EngineStatus
from .rundir import RunDir, run_dirs

_log = logging.getLogger("comfystow.attach")

_POLL_SECONDS = 0.02
_STATUS_TIMEOUT_SECONDS = 5.0

Launch = Callable[[Path, str | None], "subprocess.Popen[bytes]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """An engine that answered a moment ago; `started` when it was us who started it."""

    info: EngineInfo
    status: EngineStatus
    started: bool = False


def find_or_start(state_dir: Path, settings: Settings, *, start: bool = True, launch: Launch = launch) -> Attached:
    """Return the living engine of a state folder, after starting one when there is none.

    Raises: EngineError: none lives and none is to be started, or it does not come up. EngineTooNewError: the engine
    that lives is newer than we are.
    """
    deadline = time.monotonic() + settings.engine_start_timeout_seconds
    places = run_dirs(state_dir, settings.run_dir)
    while True:
        found = _first_living(places, deadline)
        if found is None and start:
            found = _start(places[0], state_dir, settings, deadline, launch)
        if found is not None:
            return found
        if not start:
            raise EngineError(f"no engine runs for `{state_dir}`", hint="any other command starts one")
        _check_deadline(deadline, state_dir)
        time.sleep(_POLL_SECONDS)


def _check_deadline(deadline: float, state_dir: Path) -> None:
    if time.monotonic() >= deadline:
        raise EngineError("the engine does not answer", hint=f"its log is `{state_dir / LOG_NAME}`")


def _first_living(places: list[RunDir], deadline: float) -> Attached | None:
    return next((found for place in places if (found := living(place, deadline)) is not None), None)


def living(place: RunDir, deadline: float) -> Attached | None:
    """Return the engine of a run directory; an older one is asked to leave first, and counts as none.

    What somebody else could have put there is not looked at: tokens are sent to who answers. Raises: EngineTooNewError.
    """
    info = read_info(place.info) if place.ours else None
    if info is None:
        return None
    try:
        status = ask_status(info, _STATUS_TIMEOUT_SECONDS)
    except EngineError:
        if read_info(place.info) == info:
            raise
        return None  # it has left meanwhile: a connection that it took last may stay without an answer
    if status is None or status.leaving:
        return None
    if status.protocol_version > PROTOCOL_VERSION:
        raise EngineTooNewError(
            f"a newer ComfyStow ({status.version}, process {status.pid}) runs the engine of `{status.state_dir}`",
            hint="update this one, or stop that engine with its own `comfystow engine stop`",
        )
    if status.protocol_version < PROTOCOL_VERSION:
        _log.info("asking the older engine (%s, process %d) to leave", status.version, status.pid)
        stop(info)
        _wait_until_gone(place, info, deadline)
        return None
    return Attached(info=info, status=status)


def stop(info: EngineInfo, *, reason: str = "upgrade", if_idle: bool = False) -> bool:
    """Ask an engine to journal and leave; false when it stays or is gone already."""
    connection = connect(info, _STATUS_TIMEOUT_SECONDS)
    try:
        body = {"reason": reason, "if_idle": if_idle}
        status, data = send(connection, "POST", "/engine/stop", body, headers_for(info))
    except (*BROKEN, TimeoutError):
        return False
    else:
        return status < 300 and isinstance(data, dict) and data.get("leaving") is True
    finally:
        connection.close()


def _wait_until_gone(place: RunDir, info: EngineInfo, deadline: float) -> None:
    while read_info(place.info) == info and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _start(place: RunDir, state_dir: Path, settings: Settings, deadline: float, launch: Launch) -> Attached | None:
    """Start an engine unless another caller does; None when somebody else has to be waited for."""
    place.create()
    lock = FileLock(place.start_lock)
    if not lock.acquire():
        return None
    with lock:
        found = living(place, deadline)
        if found is not None:
            return found
        process = launch(state_dir, settings.run_dir)
        while time.monotonic() < deadline:
            ended = process.poll() is not None  # before the look: it may publish and be replaced in between
            found = living(place, deadline)
            if found is not None:
                return Attached(info=found.info, status=found.status, started=found.info.pid == process.pid)
            if ended:
                _raise_failure(place, state_dir, process)
                return None
            time.sleep(_POLL_SECONDS)
    return None


def _raise_failure(place: RunDir, state_dir: Path, process: subprocess.Popen[bytes]) -> None:
    """Pass on why an engine could not start; one that was killed, or came second, is no failure."""
    failure = read_failure(place.failure, process.pid)
    if failure is not None:
        hint = failure.get("hint")
        error = error_of_code(str(failure.get("code")))
        raise error(str(failure.get("message")), hint=hint if isinstance(hint, str) else None)
    if process.returncode is not None and process.returncode > 0:
        said = last_line(state_dir)
        raise EngineError(
            f"the engine ended while it started{f': {said}' if said else ''}",
            hint=f"its log is `{state_dir / LOG_NAME}`",
        )


def wait_for_end(state_dir: Path, settings: Settings, timeout_seconds: float) -> bool:
    """Wait until no engine holds the state folder; false when one still does."""
    for place in run_dirs(state_dir, settings.run_dir):
        if not place.ours:
            continue
        with FileLock(place.engine_lock) as lock:
            if not lock.acquire_within(timeout_seconds):
                return False
    return True
