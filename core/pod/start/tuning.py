"""Tuning of the pod's ComfyUI: only what has an effect here, each with its reason; and what has none, by name (pure).

Many templates set variables and kernel values that do nothing, or harm. They are left alone where somebody set them,
and the boot report says so; docs/pods.md has the whole list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Variables of thread pools that count the host's cores where the container may use a few of them.
_THREAD_POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_MAX_THREADS")

#: Variables that are set often and do not do what is hoped for.
_IDLE: Mapping[str, str] = {
    "PYTHONGC": "no Python reads it",
    "CUDA_ARCH_LIST": "nothing reads it (CMake takes CMAKE_CUDA_ARCHITECTURES)",
    "TORCH_CUDA_ARCH_LIST": "it is read when extensions are compiled, and does nothing for a torch that is installed",
    "CUDA_LAUNCH_BLOCKING": "0 is the default, and 1 makes everything slow",
    "PYTHONMALLOC": "`malloc` makes Python itself slower, and frees no memory of tensors",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What tuning goes by; None is unknown. `cores` is the quota, `host_cores` what every library would count."""

    cores: float | None = None
    host_cores: int | None = None
    glibc: bool = True
    code_writable: bool = True
    packages_compiled: bool = True
    home: Path | None = None
    home_lasts: bool = False
    home_symlinks: bool = False
    folder: Path = Path("/tmp")  # noqa: S108 - always given; a default keeps tests short
    tcmalloc: Path | None = None
    tcmalloc_wanted: bool = False
    torch_version: tuple[int, int] | None = None
    cuda_malloc_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """One thing that was done (`value` set), or that somebody set and that does nothing, and why."""

    name: str
    value: str | None
    why: str


def tune(machine: Machine, environment: Mapping[str, str]) -> tuple[Adjustment, ...]:
    """Return what is added to ComfyUI's environment, and what in it has no effect. What is set already is kept."""
    done = [*_threads(machine), *_memory(machine), *_caches(machine)]
    done = [item for item in done if item.value is None or item.name not in environment]
    return (*done, *_without_effect(machine, environment))


def added(adjustments: tuple[Adjustment, ...]) -> dict[str, str]:
    """Return the variables to add."""
    return {item.name: item.value for item in adjustments if item.value is not None}


def _threads(machine: Machine) -> list[Adjustment]:
    """`nproc` is the host's count on rented machines: 128 threads that share 8 cores wait for each other."""
    if machine.cores is None or machine.host_cores is None or machine.cores >= machine.host_cores:
        return []
    threads = str(max(1, math.floor(machine.cores)))
    why = f"this container may use {machine.cores:g} of the host's {machine.host_cores} cores"
    return [Adjustment(name=name, value=threads, why=why) for name in _THREAD_POOLS]


def _memory(machine: Machine) -> list[Adjustment]:
    if machine.tcmalloc_wanted:
        if machine.tcmalloc is None:
            why = "tcmalloc was asked for and is not installed (apt-get install libtcmalloc-minimal4)"
            return [Adjustment(name="LD_PRELOAD", value=None, why=why)]
        why = "asked for; fragments less than glibc's allocator when models change"
        return [Adjustment(name="LD_PRELOAD", value=str(machine.tcmalloc), why=why)]
    if not machine.glibc:
        return []
    # mallopt(3): by default eight arenas a core, each of which keeps what was freed in it.
    why = "threads of the loaders leave freed memory in arenas of their own otherwise"
    return [Adjustment(name="MALLOC_ARENA_MAX", value="2", why=why)]


def _caches(machine: Machine) -> list[Adjustment]:
    found = []
    if not machine.code_writable and not machine.packages_compiled:
        # With a prefix Python looks nowhere else: compiled packages would be compiled again, which costs seconds.
        why = "ComfyUI's folder and the packages are read-only: Python would compile them anew at each start"
        found.append(Adjustment(name="PYTHONPYCACHEPREFIX", value=str(machine.folder / "pycache"), why=why))
    if machine.home is not None and machine.home_lasts and machine.home_symlinks:
        # The cache is made of symbolic links; on a disk without them every file would lie there twice.
        why = "what nodes fetch from the hub by themselves outlives the container"
        found.append(Adjustment(name="HF_HOME", value=str(machine.home / ".cache" / "huggingface"), why=why))
    return found


def _without_effect(machine: Machine, environment: Mapping[str, str]) -> list[Adjustment]:
    found = [Adjustment(name=name, value=None, why=why) for name, why in idle_variables(environment)]
    found += [Adjustment(name=name, value=None, why=why) for name, why in allocator_problems(machine, environment)]
    preloads = environment.get("LD_PRELOAD", "") + (str(machine.tcmalloc) if machine.tcmalloc_wanted else "")
    if "tcmalloc" in preloads and any(name.startswith("MALLOC_") for name in environment):
        why = "they steer glibc's allocator, which tcmalloc replaces"
        found.append(Adjustment(name="MALLOC_*", value=None, why=why))
    return found


def idle_variables(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the variables that are set and do not do what is hoped for, with the reason."""
    return [(name, why) for name, why in _IDLE.items() if name in environment]


def allocator_problems(machine: Machine, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return settings of torch's allocator that do nothing, with the reason; the doctor says the same."""
    old, new = environment.get("PYTORCH_CUDA_ALLOC_CONF"), environment.get("PYTORCH_ALLOC_CONF")
    problems = []
    for name, text in (("PYTORCH_CUDA_ALLOC_CONF", old), ("PYTORCH_ALLOC_CONF", new)):
        if not text:
            continue
        native = machine.cuda_malloc_off or "backend:native" in text
        if not native and ("expandable_segments" in text or "max_split_size_mb" in text):
            # ComfyUI adds `backend:cudaMallocAsync` (cuda_malloc.py, 0.3.75), whose driver pool has neither.
            problems.append(
                (name, "ComfyUI uses cudaMallocAsync, which ignores it; --disable-cuda-malloc makes it count")
            )
        elif "expandable_segments" in text and "max_split_size_mb" in text:
            problems.append(
                (name, "expandable_segments makes max_split_size_mb pointless; together they crashed torch")
            )
    if new and "expandable_segments" in new and not old and machine.torch_version and machine.torch_version <= (2, 9):
        why = "torch up to 2.9 reads this name for other devices; PYTORCH_CUDA_ALLOC_CONF is the one that counts"
        problems.append(("PYTORCH_ALLOC_CONF", why))
    return problems
