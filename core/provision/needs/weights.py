"""What models weigh in VRAM, from their headers: here, or at their sources by two small ranged requests, remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...downloads.network import Networks
from ...errors import StowError
from ...records.session import Session
from ...records.source import HuggingFaceSource
from ...records.workflow import Candidate, ModelStatus
from ...sources.catalogue import Catalogue
from ...sources.inspection import inspect_file, inspect_remote
from ...sources.variants import are_variants
from .choice import sure_candidate
from .fit import Fit, Load, Variant, best_variants, judge, too_heavy
from .weight_memory import WeightMemory

_AT_ONCE = 6
#: Headers that are read at their sources for one question.
_MOST_REMOTE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """Weighs the models of a workflow for one caller."""

    networks: Networks
    session: Session | None
    memory: WeightMemory
    catalogue: Catalogue

    async def fit(self, statuses: Sequence[ModelStatus], gpu: str | None, gpu_bytes: int | None) -> Fit:
        """Weigh what runs, and name smaller variants where it does not fit. Sources that refuse leave unknowns."""
        unique = {(status.required.folder_name, status.required.name): status for status in statuses}
        active = [status for status in unique.values() if status.required.active]
        gate = asyncio.Semaphore(_AT_ONCE)
        remote = [status for status in active if status.path is None][:_MOST_REMOTE]

        async def weigh(status: ModelStatus) -> Load:
            async with gate:
                return await self._load(status, ask=status in remote)

        found = judge(await asyncio.gather(*map(weigh, active)), gpu, gpu_bytes)
        heavy = {(load.folder, load.name): load for load in too_heavy(found)}
        smaller: list[Variant] = []
        for status in active:
            load = heavy.get((status.required.folder_name, status.required.name))
            if load is not None:
                smaller += best_variants(load, await self._variants(status), gpu_bytes or 0)
        return replace(found, smaller=tuple(smaller))

    async def _load(self, status: ModelStatus, *, ask: bool) -> Load:
        model = status.required
        load = Load(name=model.name, folder=model.folder_name)
        if status.path is not None:
            weight = await asyncio.to_thread(_weight_of_file, Path(status.path))
            return replace(load, vram_bytes=weight, told_by="file" if weight is not None else None)
        best = sure_candidate(status)
        if best is None or not ask:
            return load
        weight = await self._weight_at_source(best)
        return replace(load, vram_bytes=weight, told_by="source" if weight is not None else None)

    async def _weight_at_source(self, candidate: Candidate) -> int | None:
        asked, weight = self.memory.get(candidate.source)
        if asked:
            return weight
        network, credentials = self.networks.of(self.session), self.networks.credentials(self.session)
        try:
            file = await network.sources.resolve(network.sources.parse(candidate.url or candidate.source), credentials)
            weight = (await inspect_remote(network.client, candidate.source, file, credentials)).vram_bytes
        except StowError as err:
            if err.retryable:
                return None
            weight = None
        self.memory.keep(candidate.source, weight)
        return weight

    async def _variants(self, status: ModelStatus) -> list[Variant]:
        """Look beside the file in its repository, and in the lists."""
        name = status.required.name
        found = await self._beside(status, name)
        seen = {item.source for item in found}
        found += [
            Variant(
                instead_of=name,
                name=entry.name,
                source=entry.source,
                size_bytes=entry.size_bytes,
                known_from=entry.origin,
                needs_other_loader=_is_gguf(entry.name) and not _is_gguf(name),
            )
            for entry in self.catalogue.variants(name, status.required.folder_name)
            if entry.source not in seen
        ]
        return [await self._sized(item) for item in found[:_MOST_REMOTE]]

    async def _beside(self, status: ModelStatus, name: str) -> list[Variant]:
        network, credentials = self.networks.of(self.session), self.networks.credentials(self.session)
        best = next((item for item in status.candidates if item.confidence.sure), None)
        if best is None:
            return []
        try:
            source = network.sources.parse(best.source)
            if not isinstance(source, HuggingFaceSource):
                return []
            folder = source.filename.rpartition("/")[0]
            inside = replace(source, filename=f"{folder}/" if folder else "", revision=source.revision)
            files = await network.sources.huggingface.list_files(inside, credentials)
        except StowError:
            return []
        return [
            Variant(
                instead_of=name,
                name=file.filename,
                source=str(replace(file.source, revision=source.revision)),
                size_bytes=file.size_bytes,
                known_from=f"the same repository, {source.repo_id}",
                needs_other_loader=_is_gguf(file.filename) and not _is_gguf(name),
            )
            for file in files
            if isinstance(file.source, HuggingFaceSource) and are_variants(file.filename, name)
        ]

    async def _sized(self, item: Variant) -> Variant:
        """Ask for the size of a variant whose list does not tell it."""
        if item.size_bytes is not None:
            return item
        network, credentials = self.networks.of(self.session), self.networks.credentials(self.session)
        try:
            file = await network.sources.resolve(network.sources.parse(item.source), credentials)
        except StowError:
            return item
        return replace(item, size_bytes=file.size_bytes)


def _weight_of_file(path: Path) -> int | None:
    try:
        return inspect_file(path).vram_bytes
    except StowError:
        return None


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")
