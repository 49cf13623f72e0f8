"""Will it fit? The weights that a workflow loads, as their headers state them, against the memory of a GPU (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ...records.sample import GpuSample
from ...units import format_bytes

#: What ComfyUI keeps free for the work itself and for others (0.3.75, comfy/model_management.py,
#: `minimum_inference_memory`: 0.8 GiB, and `EXTRA_RESERVED_VRAM`: 400 MiB). Large pictures and videos need more.
WORKING_BYTES = int(0.8 * (1 << 30)) + (400 << 20)


class Verdict(StrEnum):
    """`in_turns`: not all at once, but each by itself, as ComfyUI swaps them; `too_large`: not even one of them."""

    FITS = "fits"
    IN_TURNS = "in_turns"
    TOO_LARGE = "too_large"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One model that is loaded; `vram_bytes` None is unknown, `told_by` says whose header told it."""

    name: str
    folder: str | None
    vram_bytes: int | None = None
    told_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The same model stored smaller, and where it is; a GGUF needs a loader of its own."""

    instead_of: str
    name: str
    source: str
    size_bytes: int | None
    known_from: str
    needs_other_loader: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The verdict, its numbers, and the sentence for people. `unknown` counts loads without a number."""

    verdict: Verdict
    sentence: str
    needed_bytes: int
    largest_bytes: int
    working_bytes: int
    unknown: int
    gpu: str | None
    gpu_bytes: int | None
    loads: tuple[Load, ...]
    smaller: tuple[Variant, ...] = ()


def judge(loads: Sequence[Load], gpu: str | None, gpu_bytes: int | None) -> Fit:
    """Compare what is loaded with what is there."""
    known = [load for load in loads if load.vram_bytes is not None]
    needed = sum(load.vram_bytes or 0 for load in known)
    largest = max(known, key=lambda load: load.vram_bytes or 0, default=None)
    largest_bytes = (largest.vram_bytes or 0) if largest is not None else 0
    unknown = len(loads) - len(known)
    if gpu_bytes is None or not known:
        verdict = Verdict.UNKNOWN
    elif largest_bytes + WORKING_BYTES > gpu_bytes:
        verdict = Verdict.TOO_LARGE
    elif needed + WORKING_BYTES > gpu_bytes:
        verdict = Verdict.IN_TURNS
    else:
        verdict = Verdict.UNKNOWN if unknown else Verdict.FITS
    return Fit(
        verdict=verdict,
        sentence=_sentence(verdict, needed, largest, unknown, gpu_bytes),
        needed_bytes=needed,
        largest_bytes=largest_bytes,
        working_bytes=WORKING_BYTES,
        unknown=unknown,
        gpu=gpu,
        gpu_bytes=gpu_bytes,
        loads=tuple(loads),
    )


def largest_gpu(gpus: Sequence[GpuSample]) -> GpuSample | None:
    """Return the GPU with the most memory, None where none tells."""
    telling = [gpu for gpu in gpus if gpu.memory_total_bytes is not None]
    return max(telling, key=lambda gpu: gpu.memory_total_bytes or 0, default=None)


def too_heavy(fit: Fit) -> list[Load]:
    """Return the loads for which something smaller would help: those that never fit, else the largest one."""
    known = sorted((load for load in fit.loads if load.vram_bytes), key=lambda load: -(load.vram_bytes or 0))
    if fit.verdict is Verdict.TOO_LARGE:
        return [load for load in known if (load.vram_bytes or 0) + WORKING_BYTES > (fit.gpu_bytes or 0)]
    return known[:1] if fit.verdict is Verdict.IN_TURNS else []


def best_variants(load: Load, variants: Sequence[Variant], gpu_bytes: int, most: int = 2) -> list[Variant]:
    """Return the largest ones that would fit, else the smallest; a file's size stands for its weights."""
    smaller = [
        item for item in variants if item.size_bytes is not None and item.size_bytes < (load.vram_bytes or 0) * 0.95
    ]
    fitting = [item for item in smaller if (item.size_bytes or 0) + WORKING_BYTES <= gpu_bytes]
    if fitting:
        return sorted(fitting, key=lambda item: (item.needs_other_loader, -(item.size_bytes or 0)))[:most]
    return sorted(smaller, key=lambda item: item.size_bytes or 0)[:1]


def _sentence(verdict: Verdict, needed: int, largest: Load | None, unknown: int, gpu_bytes: int | None) -> str:
    least = "at least " if unknown else ""
    if largest is None:
        return "nothing is known of the memory that it needs"
    if gpu_bytes is None:
        return f"needs {least}{format_bytes(needed)} of VRAM; no GPU is known here"
    have = f"{format_bytes(gpu_bytes)} of VRAM"
    if verdict is Verdict.TOO_LARGE:
        alone = f"{largest.name} alone takes {format_bytes(largest.vram_bytes)}"
        return f"too large for {have}: {alone}; ComfyUI would work from RAM, slowly"
    if verdict is Verdict.IN_TURNS:
        return f"{format_bytes(needed)} of weights, {have}: ComfyUI loads them in turns"
    if verdict is Verdict.UNKNOWN:
        return f"needs {least}{format_bytes(needed)}; {have}"
    return f"fits: needs {format_bytes(needed)} of {have}"
