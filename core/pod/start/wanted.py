"""What a pod is to have: `models.yaml` or `models.lock`, and what COMFYSTOW_MODELS says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...config import Settings
from ...errors import StowError
from .volume import find_volume

NAMES = ("models.lock", "models.yaml", "models.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One manifest, lock or list: where it stands, and the body of `POST /workflow/ensure`.

    `before` is true where ComfyUI waits for some of it.
    """

    name: str
    body: dict[str, Any] = field(repr=False)
    before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """All that is wanted, and what could not be read: a mistake in a list stops no service."""

    all: tuple[Wish, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def before(self) -> bool:
        """True where ComfyUI waits for something."""
        return any(wish.before for wish in self.all)


def read_wishes(settings: Settings) -> Wishes:
    """Read the manifest and the variable."""
    volume = find_volume(settings.volume)
    found: list[Wish] = []
    problems: list[str] = []
    for read in (_manifest, _variable):
        try:
            wish = read(settings, volume)
        except StowError as err:
            problems.append(describe(err))
        except OSError as err:
            problems.append(f"{volume}: {err.strerror or err}")
        else:
            found += [wish] if wish is not None else []
    return Wishes(all=tuple(found), problems=tuple(problems))


def _manifest(settings: Settings, volume: Path | None) -> Wish | None:
    """Return the file that was given, else the first that lies on the volume; a lock beats a manifest."""
    places = [volume / name for name in NAMES] if volume is not None else []
    path = Path(settings.manifest) if settings.manifest else next((path for path in places if path.is_file()), None)
    return _of_file(path, settings) if path is not None else None


def _variable(settings: Settings, _volume: Path | None) -> Wish | None:
    if not (settings.models or "").strip():
        return None
    from ...workflow.models_variable import VARIABLE, models_of

    wanted = models_of(settings.models or "")
    if isinstance(wanted, Path):
        return _of_file(wanted, settings)
    return Wish(name=VARIABLE, body={"manifest": wanted})


def _of_file(path: Path, settings: Settings) -> Wish:
    # Late, as above: where nothing is wanted ComfyUI need not wait for their import.
    from ...workflow.manifest import parse_manifest
    from ...workflow.wish_files import LOCK, manifest_body, read_text

    if path.suffix.lower() == LOCK:
        return Wish(name=str(path), body={"lock": read_text(path)})
    body = manifest_body(path)
    before = any(entry.before for entry in parse_manifest(body["manifest"], path.name).entries)
    facts = {"profile": settings.profile} if settings.profile else {}
    return Wish(name=str(path), body={**body, "groups": list(settings.manifest_groups), "facts": facts}, before=before)


def describe(error: StowError) -> str:
    """Say what is wrong in one line."""
    return error.message + (f" ({error.hint})" if error.hint else "")
