"""What a command works on: a ComfyUI installation or a bare tree of models, its folders, and where its state lives."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import EngineError, StowError, UsageError
from ..paths import MODEL_SUFFIXES, NON_MODEL_FOLDERS, PICKLE_SUFFIXES
from ..records.json import from_json
from ..records.model import LEGACY_FOLDERS, Folder, FolderLayout
from .podfile import read_pod

_ASK = Path(__file__).with_name("ask_folder_paths.py")
_TREE = Path(__file__).resolve().parents[2]
_ASK_TIMEOUT_SECONDS = 60.0

#: Folder names of ComfyUI 0.3.75 (folder_paths.py) with the directories of each, in search order.
STANDARD_FOLDERS: dict[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints",),
    "loras": ("loras",),
    "vae": ("vae",),
    "text_encoders": ("text_encoders", "clip"),
    "diffusion_models": ("unet", "diffusion_models"),
    "clip_vision": ("clip_vision",),
    "style_models": ("style_models",),
    "embeddings": ("embeddings",),
    "diffusers": ("diffusers",),
    "vae_approx": ("vae_approx",),
    "controlnet": ("controlnet", "t2i_adapter"),
    "gligen": ("gligen",),
    "upscale_models": ("upscale_models",),
    "latent_upscale_models": ("latent_upscale_models",),
    "hypernetworks": ("hypernetworks",),
    "photomaker": ("photomaker",),
    "classifiers": ("classifiers",),
    "model_patches": ("model_patches",),
    "audio_encoders": ("audio_encoders",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where things are. With neither a ComfyUI nor a tree only the queue of the state folder can be worked on."""

    state_dir: Path
    comfyui: Path | None = None
    models_dir: Path | None = None
    extra_model_paths: tuple[Path, ...] = ()
    """Files that its ComfyUI is given beside its own `extra_model_paths.yaml`."""
    output_directory: Path | None = None


def find_installation(
    *,
    comfyui: Path | None = None,
    models_dir: Path | None = None,
    state_dir: Path | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Installation:
    """Return what the caller named, else what `folder` (the current one) or this extension lies in.

    Raises: UsageError: what is named is none, or nothing is named and nothing found.
    """
    if comfyui is not None and models_dir is not None:
        raise UsageError("`--comfyui` and `--models-dir` exclude each other")
    if comfyui is not None and not _is_comfyui(comfyui):
        raise UsageError(f"`{comfyui}` is no ComfyUI installation", hint="give the folder that holds folder_paths.py")
    if models_dir is not None and not models_dir.is_dir():
        raise UsageError(f"there is no folder `{models_dir}`", hint="make it first, or look for a typing error")
    pod = read_pod(environment=environment)
    if comfyui is None and models_dir is None:
        here = folder or Path.cwd()
        comfyui = next((path for start in (here, _TREE) for path in _upwards(start) if _is_comfyui(path)), None)
        models_dir = next(filter(_is_models_tree, _upwards(here)), None) if comfyui is None else None
        if comfyui is None and models_dir is None and pod is not None and state_dir is None:
            comfyui = pod.comfyui
    in_pod = pod is not None and comfyui is not None and os.path.realpath(comfyui) == os.path.realpath(pod.comfyui)
    if state_dir is None:
        if pod is not None and in_pod:
            state_dir = pod.state_dir
        else:
            state_dir = _state_dir(comfyui, models_dir, os.environ if environment is None else environment)
    return Installation(
        state_dir=state_dir.absolute(),
        comfyui=comfyui.absolute() if comfyui is not None else None,
        models_dir=models_dir.absolute() if models_dir is not None else None,
        extra_model_paths=pod.extra_model_paths if pod is not None and in_pod else (),
        output_directory=pod.output_directory if pod is not None and in_pod else None,
    )


def _state_dir(comfyui: Path | None, models_dir: Path | None, environment: Mapping[str, str]) -> Path:
    if comfyui is not None:
        return comfyui / "user" / "__comfystow"
    if models_dir is None:
        raise UsageError(
            "there is no ComfyUI here",
            hint="run this inside one, or give --comfyui DIR, --models-dir DIR or --state-dir DIR",
        )
    # XDG Base Directory Specification: relative values are to be ignored.
    home = Path(environment.get("XDG_STATE_HOME", ""))
    base = home if home.is_absolute() else Path.home() / ".local" / "state"
    key = hashlib.sha256(os.fsencode(os.path.realpath(models_dir))).hexdigest()[:16]
    return base / "comfystow" / key


def _upwards(start: Path) -> Iterator[Path]:
    start = start.absolute()
    yield start
    yield from start.parents


def _is_comfyui(path: Path) -> bool:
    return (path / "folder_paths.py").is_file() and (path / "comfy").is_dir()


def _is_models_tree(path: Path) -> bool:
    return path.name == "models" and any((path / name).is_dir() for name in STANDARD_FOLDERS)


class LayoutQuestion:
    """The folders of an installation, asked for while the caller does something else."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._process = _ask(installation, installation.comfyui) if installation.comfyui is not None else None

    def answer(self) -> FolderLayout:
        """Return the folders; none are known of a state folder alone. Raises: EngineError: ComfyUI does not tell."""
        if self._process is None:
            tree = self._installation.models_dir
            return bare_layout(tree) if tree is not None else FolderLayout()
        try:
            out, said = self._process.communicate(timeout=_ASK_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise EngineError("ComfyUI's folder_paths does not answer") from None
        try:
            return from_json(FolderLayout, json.loads(out), strict=False)
        except (ValueError, StowError):
            last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise EngineError(
                f"ComfyUI's folder_paths cannot be asked: {' '.join(last)[:200]}",
                hint="run this with ComfyUI's own Python, or give --models-dir DIR",
            ) from None


def _ask(installation: Installation, comfyui: Path) -> subprocess.Popen[bytes]:
    output = installation.output_directory
    words = [*(str(path) for path in installation.extra_model_paths), *([f"--output={output}"] if output else [])]
    return subprocess.Popen(  # noqa: S603 - the installation's own interpreter and our own file
        [interpreter_of(comfyui), str(_ASK), str(comfyui), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def interpreter_of(comfyui: Path) -> str:
    """Return the installation's own Python: it has the yaml that `extra_model_paths.yaml` needs."""
    tail = Path("Scripts/python.exe") if os.name == "nt" else Path("bin/python")
    places = [comfyui / name / tail for name in (".venv", "venv")]
    places.append(comfyui.parent / "python_embeded" / "python.exe")  # the portable build's own spelling
    return next((str(path) for path in places if path.is_file()), sys.executable)


def bare_layout(models_dir: Path) -> FolderLayout:
    """Return ComfyUI's standard folders below a tree, and what else lies there."""
    suffixes = MODEL_SUFFIXES | PICKLE_SUFFIXES
    standard = {directory for directories in STANDARD_FOLDERS.values() for directory in directories}
    folders = {
        name: Folder(directories=tuple(models_dir / directory for directory in directories), suffixes=suffixes)
        for name, directories in STANDARD_FOLDERS.items()
    }
    for path in sorted(models_dir.iterdir()):
        own = path.name not in standard | NON_MODEL_FOLDERS | set(LEGACY_FOLDERS) and not path.name.startswith(".")
        if path.is_dir() and own:
            folders[path.name] = Folder(directories=(path,), suffixes=suffixes)
    return FolderLayout(folders=folders, base_path=models_dir)
