"""What `pod up` is about to do, found out before anything is started: machine, folders, services."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...config import Settings
from ...engine.installation import Installation, interpreter_of
from ...records.model import FolderLayout
from ..services.passwords import Passwords
from ..services.provider import Provider, detect_provider
from ..services.service import Missing, Service
from ..services.table import Ground, table
from .begin import local_folder
from .layout import PodLayout, derive_layout
from .prepare import (
    comfyui_words,
    folders_of,
    holds_models,
    local_home,
    machine_of,
    make_folders,
    met,
    passwords_of,
    secret_of,
    volume_of,
)
from .questions import Questions
from .report import BootReport
from .tuning import Adjustment, added, tune
from .volume import Volume

#: ComfyUI imports on one, JupyterLab on another; engine, file service and what the kernel does take the rest.
_ENOUGH_CORES = 4


@dataclass(slots=True, kw_only=True)
class PodPlan:
    """Everything that is known before the first service starts."""

    settings: Settings
    installation: Installation
    provider: Provider
    volume: Volume | None
    layout: PodLayout
    folders: FolderLayout
    folder: Path
    state_dir: Path
    extra_model_paths: Path | None
    rows: tuple[Service | Missing, ...]
    tuning: tuple[Adjustment, ...]
    passwords: Passwords = field(repr=False)
    access_secret_made: bool
    """True where nobody has seen the access secret yet."""
    mark: str
    few_cores: bool
    """True where ComfyUI's start would be slowed by what starts beside it."""
    report: BootReport

    @property
    def services(self) -> tuple[Service, ...]:
        """The rows that can run."""
        return tuple(row for row in self.rows if isinstance(row, Service))


def make_plan(
    settings: Settings,
    installation: Installation,
    environment: Mapping[str, str],
    *,
    questions: Questions,
    waits_for_models: bool,
    more: tuple[Service | Missing, ...] = (),
    write: bool = True,
) -> PodPlan:
    """Find everything out and make the folders; with `write` false nothing is made.

    Raises: EngineError: a local folder that cannot be had.
    """
    report = BootReport()
    provider = detect_provider(environment)
    folder = local_folder(settings, write=write)
    volume = volume_of(settings, report, write=write)
    home = volume.path if volume is not None and volume.writable else None
    own = folders_of(questions, report)
    layout = lay_out(own, volume, local_home(installation, folder))
    # Where ComfyUI itself keeps our state (`user/__comfystow`): pod, panel and shells see one queue.
    state_dir = layout.user / "__comfystow"
    extra = make_folders(layout, folder, report, write=write)
    machine = machine_of(settings, installation, volume, home, folder)
    tuning = tune(machine, environment)
    passwords = passwords_of(settings, state_dir, folder, volume, report, write=write)
    secret_made = write and secret_of(settings, state_dir, report)
    words = comfyui_words(settings, provider, layout, extra, folder, volume, questions.flags(), report)
    comfyui = installation.comfyui or Path.cwd()
    mark = secrets.token_hex(16)
    ground = Ground(
        settings=settings,
        provider=provider,
        comfyui=comfyui,
        python=interpreter_of(comfyui),
        comfyui_words=words,
        comfyui_environment=added(tuning),
        home=home or layout.output,
        private=state_dir,
        folder=folder,
        mark=mark,
        passwords=passwords.by_service,
        environment=environment,
        waits_for_models=waits_for_models,
        write=write,
    )
    return PodPlan(
        settings=settings,
        installation=installation,
        provider=provider,
        volume=volume,
        layout=layout,
        folders=layout.seen_by_comfyui(own),
        folder=folder,
        state_dir=state_dir,
        extra_model_paths=extra,
        rows=met(table(ground, more)),
        tuning=tuning,
        passwords=passwords,
        access_secret_made=secret_made,
        mark=mark,
        few_cores=machine.cores is not None and machine.cores < _ENOUGH_CORES,
        report=report,
    )


def lay_out(own: FolderLayout, volume: Volume | None, local: Path) -> PodLayout:
    """Lay a pod out; of a volume that can only be read the models are used, and what is written goes to `local`."""
    there = volume.path if volume is not None and volume.there else None
    layout = derive_layout(own, there, local, exists=Path.is_dir, holds_models=holds_models)
    if volume is None or volume.writable or there is None:
        return layout
    work = derive_layout(own, None, local, exists=Path.is_dir, holds_models=holds_models)
    return PodLayout(user=work.user, input=work.input, output=work.output, sections=layout.sections)
