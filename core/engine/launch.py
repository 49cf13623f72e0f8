"""Start an engine as a process of its own, which outlives us."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from ..errors import EngineError
from .log import open_log

if sys.platform == "win32":
    _DETACHED = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
else:
    _DETACHED = 0

_TREE = Path(__file__).resolve().parents[2]


def engine_command(state_dir: Path) -> list[str]:
    """Return the command line of an engine: our own interpreter and our own tree, installed or not."""
    if not sys.executable:
        raise EngineError("the Python that runs us does not tell where it is", hint="run `comfystow engine run`")
    flags = ["-s"] if sys.flags.no_user_site else []  # ComfyUI's portable build runs with -s
    return [sys.executable, *flags, str(_TREE / "__main__.py"), "engine", "run", "--state-dir", str(state_dir)]


def launch(state_dir: Path, run_dir: str | None) -> subprocess.Popen[bytes]:
    """Start an engine in a session of its own, so that neither Ctrl-C nor a closing terminal reaches it.

    Raises: EngineError: no process could be made, or the state folder cannot be written.
    """
    environment = dict(os.environ)
    if run_dir is not None:
        environment["COMFYSTOW_RUN_DIR"] = run_dir
    try:
        with open_log(state_dir) as log:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                engine_command(state_dir),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(state_dir.anchor),  # keep no folder busy that a user may want to unmount or remove
                env=environment,
                start_new_session=True,
                creationflags=_DETACHED,
            )
    except OSError as err:
        raise EngineError(
            f"cannot start the engine: {err.strerror or err}", hint=f"is `{state_dir}` writable?"
        ) from err
    # Somebody must take the exit status of an engine that ends before us, or it stays a zombie.
    threading.Thread(target=process.wait, name="comfystow-engine-exit", daemon=True).start()
    return process
