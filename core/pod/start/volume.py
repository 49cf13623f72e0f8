"""The disk that outlives the container: which it is, and what it lets us do."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...detached import within
from ...mounts import mount_of

#: Where RunPod mounts volumes: in pods, and in serverless workers (the same volume).
USUAL_PLACES = (Path("/workspace"), Path("/runpod-volume"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What a probe of the folder showed; `problem` is why nothing can be written there.

    `mounted` is false for a plain folder of the container, which is lost with it. `keeps_modes` tells whether a file
    made with 0600 has that mode, `chmod` and `chown` whether changing it is allowed; network volumes refuse all three.
    """

    path: Path
    there: bool = False
    mounted: bool = False
    writable: bool = False
    keeps_modes: bool = False
    chmod: bool = False
    chown: bool = False
    symlinks: bool = False
    network: bool | None = None
    file_system: str | None = None
    problem: str | None = None


def find_volume(given: str | None, places: Sequence[Path] = USUAL_PLACES) -> Path | None:
    """Return the folder that was given, else the usual place that is mounted, else the one that is there."""
    if given is not None:
        return Path(given).absolute()
    there = [place for place in places if _there(place)]
    return next((place for place in there if os.path.ismount(place)), there[0] if there else None)


def find_volume_within(seconds: float, given: str | None, places: Sequence[Path] = USUAL_PLACES) -> Path | None:
    """Return the same; where that look hangs, the first place: whoever tries it says so."""
    found = within(seconds, "volume", lambda: (find_volume(given, places),))
    return found[0] if found is not None else places[0]


def probe_volume(path: Path) -> Volume:
    """Try what we need there, with one small file that is removed again. Never raises."""
    mount = mount_of(path)
    facts = Volume(
        path=path,
        mounted=mount is not None and mount.point not in {"/", ""} and path.is_relative_to(mount.point),
        network=None if mount is None else mount.network,
        file_system=None if mount is None else mount.file_system,
    )
    try:
        if not path.is_dir():
            return _with(facts, problem="it is not there")
    except OSError as err:
        return _with(facts, problem=err.strerror or str(err))
    facts = _with(facts, there=True)
    name = path / f".comfystow-probe-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as err:
        return _with(facts, problem=err.strerror or str(err))
    try:
        os.write(descriptor, b"x")
        os.fsync(descriptor)
        return _with(
            facts,
            writable=True,
            keeps_modes=stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o600,
            chmod=_allowed(lambda: name.chmod(0o640)),
            chown=_allowed(lambda: os.chown(name, os.getuid(), os.getgid())),
            symlinks=_allowed(lambda: _link(name)),
        )
    except OSError as err:
        return _with(facts, problem=err.strerror or str(err))
    finally:
        os.close(descriptor)
        name.unlink(missing_ok=True)


def _there(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError:  # it is, and broken: whoever tries it says so
        return True


def _link(name: Path) -> None:
    link = name.with_name(f"{name.name}.link")
    link.symlink_to(name.name)
    link.unlink()


def _allowed(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return False
    return True


def _with(volume: Volume, **changes: object) -> Volume:
    return replace(volume, **changes)  # type: ignore[arg-type]
