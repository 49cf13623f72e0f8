"""What the handlers about workflows share: the document of a body, the finder, the facts of this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...records.json import to_json
from ...records.sample import GpuSample
from ...records.workflow import ModelStatus
from ...workflow.conditions import Facts
from ..bodies import WishRequest
from .call import Call

if TYPE_CHECKING:
    from ...provision.needs.known_sources import Origins
    from ...provision.needs.needs import Finder
    from ...provision.needs.wishes import Wish

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


async def wish_of(call: Call, request: WishRequest, *, search: bool) -> Wish:
    """Return what a body wishes; only a manifest asks for the facts of this machine."""
    from ...provision.needs.wishes import Wish

    return Wish(
        document=document_of(request.workflow, request.prompt),
        manifest=request.manifest,
        lock=request.lock,
        documents=request.documents,
        groups=request.groups,
        facts=await facts_of(call, request.facts) if request.manifest is not None else request.facts,
        search=search,
        before_only=request.before_only,
    )


def finder_of(call: Call) -> Finder:
    """Return what reads documents. Late: an engine that only downloads starts 40 ms sooner without the readers."""
    from ...provision.needs.needs import Finder

    runtime = call.runtime
    return Finder(
        sessions=runtime.sessions, networks=runtime.networks, catalogue=runtime.catalogue, index=runtime.library.index
    )


def origins_of(call: Call) -> Origins:
    """Return what is known of where the files here came from."""
    from ...provision.needs.known_sources import Origins

    return Origins(call.runtime.downloads.list(), call.runtime.library.index)


async def fit_of(call: Call, statuses: Sequence[ModelStatus], given: Facts) -> dict[str, Any]:
    """Return whether what runs fits the GPU here, or the one that the caller names."""
    from ...provision.needs.fit import largest_gpu
    from ...provision.needs.weights import Scales

    runtime = call.runtime
    gpu = largest_gpu(await gpus_of(call) or []) if given.vram_gb is None else None
    have = gpu.memory_total_bytes if gpu is not None else None
    if given.vram_gb is not None:
        have = int(given.vram_gb * _GB)
    scales = Scales(
        networks=runtime.networks,
        session=call.session,
        memory=runtime.weights,
        catalogue=await runtime.catalogue(),
    )
    found = await scales.fit(statuses, gpu.name if gpu is not None else None, have)
    data: dict[str, Any] = to_json(found)
    return data


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
