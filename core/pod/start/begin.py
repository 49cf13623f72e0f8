"""What takes its time is on its way before the rest is imported: the questions to ComfyUI, and supervisord.

ComfyUI cannot start before both are done, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import Settings
from ...engine.lock import FileLock
from ...engine.podfile import read_pod
from ...engine.rundir import private_folder, run_bases
from ...errors import ConflictError, StowError
from ..services.supervisord import Supervisord

if TYPE_CHECKING:
    from ..services.service import Missing, Service


@dataclass(slots=True, kw_only=True)
class Begun:
    """What runs already. `more` are the owner's own services, `problem` what is wrong with their file."""

    supervisord: Supervisord
    lock: FileLock = field(repr=False)
    more: tuple[Service | Missing, ...] = ()
    problem: str | None = None

    def end(self) -> None:
        """End supervisord, and let another pod start. Blocking."""
        self.supervisord.end()
        self.lock.release()


def local_folder(settings: Settings, *, write: bool = True) -> Path:
    """Return the pod's machine-local folder, made. Raises: EngineError: it is somebody else's."""
    base = run_bases(settings.run_dir)[0]
    folder = base / "pod"
    if write:
        private_folder(base)
        private_folder(folder)
    return folder


def begin(settings: Settings, environment: Mapping[str, str]) -> Begun:
    """Be the one pod of this machine, and start supervisord.

    Raises: ConfigError: supervisor is not installed; ConflictError: a pod runs here; EngineError: the local folder is
    somebody else's.
    """
    Supervisord.check()
    folder = local_folder(settings)
    # A lock and not the process that pod.json names: after a container's restart that number is anybody's.
    lock = FileLock(folder / "pod.lock")
    if not lock.acquire():
        other = read_pod(settings.run_dir)
        raise ConflictError(f"a pod runs on this machine already (process {other.pid if other else 'unknown'})")
    supervisord = Supervisord(folder)
    supervisord.end_leftover(settings.service_grace_seconds)
    more, problem = more_rows(settings, environment)
    supervisord.launch([*settings.services, *(row.name for row in more)])
    return Begun(supervisord=supervisord, lock=lock, more=more, problem=problem)


def more_rows(settings: Settings, environment: Mapping[str, str]) -> tuple[tuple[Service | Missing, ...], str | None]:
    """Read the owner's services; a mistake among them stops no other."""
    if settings.services_file is None:
        return (), None
    from ..services.extra import extra_rows
    from .wanted import describe

    try:
        return extra_rows(settings.services_file, environment), None
    except StowError as err:
        return (), describe(err)
