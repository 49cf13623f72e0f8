"""Checks of GPU, driver, torch, and of what is set for them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...engine.installation import interpreter_of
from ...records.pod import Finding
from ..start.gpu import Gpu, read_gpus
from ..start.machine import find_tcmalloc, really_loaded
from ..start.tuning import Machine, allocator_problems, idle_variables
from .examined import Examined, bad, ok, unknown, warn

_TORCH_SECONDS = 60.0
#: What torch was built for, whether or not a GPU is there (`get_arch_list` is empty without one).
_ASK = """import json, torch
flags = getattr(torch._C, "_cuda_getArchFlags", lambda: "")() or ""
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "archs": flags.split()}))"""
_ARCH = re.compile(r"(sm|compute)_(\d+)(\d)([a-z]?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Torch:
    """What the installed torch says of itself."""

    version: str
    cuda: tuple[int, int] | None
    archs: tuple[str, ...]


def graphics(examined: Examined) -> Iterator[Finding]:
    """GPU and driver, against what torch was built for."""
    gpus = read_gpus()
    if not gpus.gpus:
        rented = examined.environment.get("RUNPOD_GPU_COUNT", "0")
        if rented.isdecimal() and int(rented):
            advice = "a pod that was stopped may come back without a GPU: stop it, and start it or deploy another one"
            yield bad("gpu", f"{rented} GPUs are rented, and none is seen ({gpus.note})", advice)
        else:
            yield unknown("gpu", f"no NVIDIA GPU is seen ({gpus.note})")
        return
    yield ok("gpu", f"{', '.join(gpu.name for gpu in gpus.gpus)}; driver {gpus.driver}, CUDA {_dotted(gpus.cuda)}")
    torch = _torch(examined)
    if torch is None:
        yield unknown("torch", "torch could not be asked", "run this with ComfyUI's own Python")
        return
    if torch.cuda is None:
        yield bad("torch", f"torch {torch.version} was built without CUDA", "install the CUDA build of torch")
        return
    if gpus.cuda is not None and torch.cuda[0] > gpus.cuda[0]:
        what = f"torch {torch.version} needs CUDA {_dotted(torch.cuda)}, the driver runs {_dotted(gpus.cuda)}"
        yield bad(
            "torch", what, "deploy on a host with a newer driver (filter by CUDA version), or take an older torch"
        )
    for gpu in gpus.gpus:
        yield from _fits(gpu, torch)


def _fits(gpu: Gpu, torch: Torch) -> Iterator[Finding]:
    if gpu.capability is None or not torch.archs:
        yield unknown("torch", f"whether torch {torch.version} has code for {gpu.name} cannot be seen")
    elif runs_on(gpu.capability, torch.archs):
        yield ok("torch", f"torch {torch.version} has code for {gpu.name} (compute {_dotted(gpu.capability)})")
    else:
        what = f"torch {torch.version} has no code for {gpu.name} (compute {_dotted(gpu.capability)})"
        newer = gpu.capability > max(_capability(arch) for arch in torch.archs if _ARCH.fullmatch(arch))
        yield bad("torch", what, f"install {'a newer' if newer else 'an older'} torch, with CUDA that knows this GPU")


def runs_on(capability: tuple[int, int], archs: Sequence[str]) -> bool:
    """Tell whether code for these architectures runs on a GPU (pure).

    Machine code runs on its own major version from its minor version on ("CUDA C++ Programming Guide", binary
    compatibility), with a suffix letter on exactly its own; `compute_` is compiled for whatever is newer.
    """
    for arch in archs:
        match = _ARCH.fullmatch(arch)
        if match is None:
            continue
        built = (int(match[2]), int(match[3]))
        if match[4]:
            fits = built == capability
        elif match[1] == "sm":
            fits = built[0] == capability[0] and built[1] <= capability[1]
        else:
            fits = built <= capability
        if fits:
            return True
    return False


def _capability(arch: str) -> tuple[int, int]:
    match = _ARCH.fullmatch(arch)
    return (int(match[2]), int(match[3])) if match is not None else (0, 0)


def _torch(examined: Examined) -> Torch | None:
    python = interpreter_of(examined.installation.comfyui or Path.cwd())
    try:
        done = subprocess.run(  # noqa: S603 - the installation's own interpreter
            [python, "-c", _ASK], stdin=subprocess.DEVNULL, capture_output=True, timeout=_TORCH_SECONDS, check=True
        )
        data = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    cuda = data["cuda"]
    numbers = [int(part) for part in cuda.split(".")[:2]] if cuda else []
    return Torch(
        version=data["version"],
        cuda=(numbers[0], numbers[1]) if len(numbers) > 1 else None,
        archs=tuple(data["archs"]),
    )


def _dotted(version: tuple[int, int] | None) -> str:
    return "unknown" if version is None else f"{version[0]}.{version[1]}"


def variables(examined: Examined) -> Iterator[Finding]:
    """Variables that are set and do nothing, or harm."""
    machine = Machine(cuda_malloc_off="--disable-cuda-malloc" in (examined.settings.comfyui_arguments or ""))
    problems = [*allocator_problems(machine, examined.environment), *idle_variables(examined.environment)]
    for name, why in problems:
        yield warn("variables", f"{name} has no effect: {why}", "take it out of the template")
    if not problems:
        yield ok("variables", "none is set that does nothing")


def preloads(examined: Examined) -> Iterator[Finding]:
    """Whether preloaded libraries are really there: a wrong path is a warning that nobody reads."""
    words = examined.environment.get("LD_PRELOAD", "").replace(":", " ").split()
    if examined.settings.tcmalloc:
        library = find_tcmalloc()
        if library is None:
            yield bad("preload", "tcmalloc is wanted and not installed", "apt-get install libtcmalloc-minimal4")
        else:
            words.append(str(library))
    pid = examined.pid_of("comfyui")
    for word in words:
        if "/" in word and not Path(word).exists():
            yield bad(
                "preload", f"{word} is not there: every program only warns of it", "install it, or unset LD_PRELOAD"
            )
        elif pid is None:
            yield unknown("preload", f"whether {word} is loaded shows only in a running pod")
        elif really_loaded(Path(word).name, pid):
            yield ok("preload", f"{word} is loaded into ComfyUI")
        else:
            yield bad("preload", f"{word} is not loaded into ComfyUI", "look for a warning of ld.so in its log")
