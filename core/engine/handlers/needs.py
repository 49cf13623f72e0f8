"""What the handlers about workflows share: the document of a body, the finder, the facts of this machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...records.sample import GpuSample
from ...records.workflow import ModelStatus
from ...workflow.conditions import Facts
from .call import Call

if TYPE_CHECKING:
    from ...provision.needs import Finder

_SAMPLE_SECONDS = 10.0
_GB = 1e9


def document_of(workflow: object, prompt: object) -> object:
    """Return the document of a body; a prompt that travels with its workflow gains what its author embedded."""
    return {"prompt": prompt, "workflow": workflow} if prompt else workflow


def need_document(workflow: object, prompt: object) -> object:
    """Return the document of a body that must have one. Raises: UsageError."""
    if workflow is None and prompt is None:
        raise UsageError("the body has neither `workflow` nor `prompt`")
    return document_of(workflow, prompt)


def finder_of(call: Call) -> Finder:
    """Return what reads documents. Late: an engine that only downloads starts 40 ms sooner without the readers."""
    from ...provision.needs import Finder

    runtime = call.runtime
    return Finder(sessions=runtime.sessions, networks=runtime.networks, catalogue=runtime.catalogue)


def shown(call: Call, statuses: Iterable[ModelStatus]) -> list[dict[str, Any]]:
    """Return models as JSON; host paths are for callers on this machine."""
    from ...workflow.missing import model_json

    rows = [model_json(status) for status in statuses]
    if not call.local:
        for row in rows:
            row["path"] = None
    return rows


async def gpus_of(call: Call) -> list[GpuSample] | None:
    """Return the GPUs that ComfyUI may use, from a fresh sample; None where nothing is known of any."""
    watch = call.runtime.watch
    await watch.sampled("workflows", _SAMPLE_SECONDS, _SAMPLE_SECONDS)
    sample = watch.fresh_sample
    if sample is None or sample.gpus is None:
        return None
    parents = {gpu.parent_uuid for gpu in sample.gpus}  # of a card in slices only the slices can be used
    return [gpu for gpu in sample.gpus if gpu.visible is not False and gpu.uuid not in parents]


async def facts_of(call: Call, given: Facts) -> Facts:
    """Return what conditions may ask: what the caller said, else what this machine is."""
    if given.vram_gb is not None and given.gpu_arch is not None:
        return given
    gpus = [gpu for gpu in await gpus_of(call) or [] if gpu.memory_total_bytes is not None]
    largest = max(gpus, key=lambda gpu: gpu.memory_total_bytes or 0, default=None)
    if largest is None:
        return given
    return Facts(
        vram_gb=given.vram_gb if given.vram_gb is not None else (largest.memory_total_bytes or 0) / _GB,
        gpu_arch=given.gpu_arch if given.gpu_arch is not None else largest.compute_capability,
        profile=given.profile,
    )
