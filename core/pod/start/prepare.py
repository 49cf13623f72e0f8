"""The folders and facts of a start, one after another; each says in the boot report what it could not have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from ...config import Settings
from ...detached import within
from ...engine.installation import Installation, interpreter_of
from ...engine.secret import access_secret, has_secret, keep_secret
from ...errors import ConfigError, StowError
from ...paths import MODEL_SUFFIXES, PICKLE_SUFFIXES
from ...records.model import FolderLayout
from ...records.pod import BootState
from ..services.passwords import Passwords, kept_passwords, passwords_for
from ..services.provider import Provider
from ..services.service import Missing, Service
from .comfyui import arguments_for, keep_known, split_arguments, without_effect
from .layout import PodLayout
from .machine import find_tcmalloc, packages_compiled, quota_cores, torch_version, uses_glibc
from .questions import Questions
from .report import BootReport
from .tuning import Machine
from .volume import USUAL_PLACES, Volume, find_volume, probe_volume

_MOST_ENTRIES = 200


def volume_of(settings: Settings, report: BootReport, *, write: bool) -> Volume | None:
    """Find and try the volume, and say what is wrong with it."""
    volume = _tried(settings, write=write)
    if volume is None:
        report.say(BootState.WARN, "volume", "there is none: models and outputs are lost with the container")
        return None
    path = volume.path
    if volume.problem is not None:
        report.say(
            BootState.WARN, "volume", f"{path} cannot be written ({volume.problem}): nothing outlives the container"
        )
        return volume
    facts = [f"{path} ({volume.file_system})" if volume.file_system else str(path)]
    if not volume.mounted:
        facts.append("a plain folder, which is lost with the container")
    if write and not (volume.keeps_modes and volume.chmod and volume.chown):
        facts.append("it refuses modes or owners: nothing is changed there, and passwords stay on the container's disk")
    state = BootState.OK if volume.mounted else BootState.WARN
    report.say(state, "volume", "; ".join(facts))
    return volume


def _tried(settings: Settings, *, write: bool) -> Volume | None:
    def look() -> tuple[Volume | None]:
        path = find_volume(settings.volume)
        if path is None or write:
            return (None if path is None else probe_volume(path),)
        return (Volume(path=path, there=path.is_dir(), writable=os.access(path, os.W_OK)),)

    problem = f"it did not answer within {settings.volume_seconds:g} s"
    try:
        found = within(settings.volume_seconds, "volume", look)
        if found is not None:
            return found[0]
    except OSError as err:
        problem = err.strerror or str(err)
    path = Path(settings.volume) if settings.volume is not None else USUAL_PLACES[0]
    return Volume(path=path, problem=problem)


def folders_of(questions: Questions, report: BootReport) -> FolderLayout:
    """Return ComfyUI's folders; without an answer it runs with its own alone, and that is said."""
    try:
        return questions.folders()
    except StowError as err:
        report.say(BootState.WARN, "folders", f"{err.message}; models of the volume are not listed")
        return FolderLayout()


def holds_models(path: Path) -> bool:
    """Tell whether model files lie in a folder or one below it; looks at a few entries only."""
    suffixes = MODEL_SUFFIXES | PICKLE_SUFFIXES
    try:
        with os.scandir(path) as found:
            entries = list(islice(found, _MOST_ENTRIES))
    except OSError:
        return False
    if any(Path(entry.name).suffix.lower() in suffixes for entry in entries):
        return True
    below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return any(_holds_directly(Path(folder), suffixes) for folder in below[:_MOST_ENTRIES])


def _holds_directly(path: Path, suffixes: frozenset[str]) -> bool:
    try:
        with os.scandir(path) as entries:
            return any(Path(entry.name).suffix.lower() in suffixes for entry in islice(entries, _MOST_ENTRIES))
    except OSError:
        return False


def local_home(installation: Installation, folder: Path) -> Path:
    """Return where ComfyUI's work goes without a volume: its own folder, where that can be written."""
    own = installation.comfyui
    return own if own is not None and os.access(own, os.W_OK) else folder


def make_folders(layout: PodLayout, folder: Path, report: BootReport, *, write: bool) -> Path | None:
    """Make the folders of work, and write `extra_model_paths.yaml` where there is something to say in it."""
    if not write:
        return folder / "extra_model_paths.yaml" if layout.sections else None
    for path in (layout.user, layout.input, layout.output):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            report.say(BootState.WARN, path.name, f"`{path}` cannot be made: {err.strerror}")
    if not layout.sections:
        return None
    file = folder / "extra_model_paths.yaml"
    file.write_text(layout.yaml, encoding="utf-8")
    older = [f"{base}" for name, base, _ in layout.sections if name != "comfystow"]
    if older:
        report.say(BootState.OK, "models", f"those in {', '.join(dict.fromkeys(older))} are listed where they are")
    return file


def machine_of(
    settings: Settings, installation: Installation, volume: Volume | None, home: Path | None, folder: Path
) -> Machine:
    """Collect what tuning goes by."""
    comfyui = installation.comfyui or Path.cwd()
    arguments = settings.comfyui_arguments or ""
    return Machine(
        cores=quota_cores(settings.rented_cores),
        host_cores=os.cpu_count(),
        glibc=uses_glibc(),
        code_writable=os.access(comfyui, os.W_OK),
        packages_compiled=packages_compiled(interpreter_of(comfyui)),
        home=home,
        home_lasts=volume is not None and volume.mounted,
        home_symlinks=volume is not None and volume.symlinks,
        folder=folder,
        tcmalloc=find_tcmalloc(),
        tcmalloc_wanted=settings.tcmalloc,
        torch_version=torch_version(interpreter_of(comfyui)),
        cuda_malloc_off="--disable-cuda-malloc" in arguments,
    )


def passwords_of(
    settings: Settings, state_dir: Path, folder: Path, volume: Volume | None, report: BootReport, *, write: bool
) -> Passwords:
    """Find or make the passwords of the services, on the volume where that keeps a file to its owner."""
    known = {"jupyter": settings.jupyter_token, "files": settings.files_password}
    given = {name: known[name] for name in known if name in settings.services}
    place = state_dir if volume is None or volume.keeps_modes else folder
    if not write:
        return kept_passwords(given, place)
    passwords = passwords_for(given, place)
    if passwords.problem is not None:
        report.say(BootState.WARN, "passwords", passwords.problem)
    return passwords


def secret_of(settings: Settings, state_dir: Path, report: BootReport) -> bool:
    """Have an access secret; true where it was made just now."""
    try:
        if settings.access_secret:
            keep_secret(state_dir, settings.access_secret)
            return False
        known = has_secret(state_dir)
        access_secret(state_dir)
    except StowError as err:
        report.say(BootState.WARN, "access secret", err.message)
        return False
    return not known


def comfyui_words(
    settings: Settings,
    provider: Provider,
    layout: PodLayout,
    extra: Path | None,
    folder: Path,
    volume: Volume | None,
    known: frozenset[str] | None,
    report: BootReport,
) -> tuple[str, ...]:
    """Return ComfyUI's arguments, without what it does not know."""
    try:
        given = split_arguments(settings.comfyui_arguments)
    except ConfigError as err:
        given = ()
        report.say(BootState.WARN, "arguments of your own", f"{err.message}; none of them is passed on")
    # SQLite needs locks that network file systems do not give.
    local = volume is None or not volume.writable or volume.network is not False
    database = (folder if local else layout.user) / "comfyui.db"
    words, dropped = keep_known(
        arguments_for(
            listen=settings.listen,
            port=settings.comfyui_port,
            origin=provider.origin(settings.comfyui_port),
            extra_model_paths=extra,
            folders={"user": layout.user, "input": layout.input, "output": layout.output},
            more=("--temp-directory", str(folder), "--database-url", f"sqlite:///{database}", *given),
        ),
        known,
    )
    if known is None:
        report.say(BootState.WARN, "arguments", "`main.py --help` did not tell what ComfyUI takes; all are passed on")
    said = [*dropped, *without_effect(words, known)]
    if said:
        report.say(BootState.WARN, "arguments", "; ".join(f"{item.flag}: {item.why}" for item in said))
    return words


def met(rows: tuple[Service | Missing, ...]) -> tuple[Service | Missing, ...]:
    """Turn off what needs a service that is off (pure)."""
    while True:
        off: Mapping[str, str] = {row.name: row.title for row in rows if isinstance(row, Missing)}
        unmet = {row.name: need for row in rows if isinstance(row, Service) for need in row.needs if need in off}
        if not unmet:
            return rows
        rows = tuple(
            Missing(name=row.name, title=row.title, reason=f"it needs {off[unmet[row.name]]}, which is off")
            if row.name in unmet
            else row
            for row in rows
        )
