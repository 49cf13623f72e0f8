"""From a document to the models it needs, with a caller's folders, nodes, lists and tokens: the one way to them all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ...downloads.network import Networks
from ...library.index.index import LibraryIndex
from ...records.download import ErrorInfo
from ...records.session import Session
from ...records.workflow import Candidate, ModelStatus, Presence, RequiredModel
from ...sessions import SessionRegistry
from ...sources.catalogue import Catalogue
from ...workflow.candidates import find_candidates
from ...workflow.missing import statuses
from ...workflow.requirements import Requirements, requirements
from .inventory import IndexedInventory
from .settle import settled

#: Models of one document that are looked up on the hubs: a workflow of unknown names must not become a flood.
MAX_LOOKED_UP = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one document needs, and for each model where it is or can come from; muted nodes' models come last."""

    requirements: Requirements
    statuses: tuple[ModelStatus, ...]
    errors: Mapping[str, ErrorInfo]
    """Hubs that could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Reads documents for callers."""

    sessions: SessionRegistry
    networks: Networks
    catalogue: Callable[[], Awaitable[Catalogue]]
    index: LibraryIndex

    async def needs(self, document: object, session: Session | None, *, search: bool = False) -> Needs:
        """Return what a workflow or prompt needs; `search` asks the hubs for what no list knows for sure.

        Raises: WorkflowError: the document is no workflow, or beyond our limits.
        """
        lookup = await self.catalogue()
        layout = self.sessions.layout_for(session)
        # A command has learnt no nodes; what a running ComfyUI has learnt, or the last one had, serves it too.
        node_inputs = (session.node_inputs if session is not None else {}) or self.sessions.node_inputs()

        def read() -> tuple[Requirements, list[ModelStatus]]:
            needed = requirements(document, node_inputs)
            return needed, statuses(needed, IndexedInventory(layout, self.index), lookup, inactive=True)

        # In a thread: it lists folders, and a large workflow takes a second.
        needed, found = await asyncio.to_thread(read)
        errors: dict[str, ErrorInfo] = {}
        if search:
            found = await self._looked_up(needed, found, session, lookup, errors)
        return Needs(requirements=needed, statuses=tuple(found), errors=errors)

    async def candidates(
        self, model: RequiredModel, session: Session | None
    ) -> tuple[tuple[Candidate, ...], Mapping[str, ErrorInfo]]:
        """Return where one model can come from, the hubs included, and the hubs that could not be asked."""
        lookup = await self.catalogue()
        known = await self._settled(find_candidates(model, lookup), session)
        if any(row.confidence.sure for row in known):
            return known, {}
        finds, errors = await self._asked(model, session)
        return find_candidates(model, lookup, found_elsewhere=(*known, *finds)), errors

    async def _looked_up(
        self,
        needed: Requirements,
        found: Sequence[ModelStatus],
        session: Session | None,
        lookup: Catalogue,
        errors: dict[str, ErrorInfo],
    ) -> list[ModelStatus]:
        asked = [status for status in found if _is_open(status)][:MAX_LOOKED_UP]
        answers = await asyncio.gather(*(self._settled(status.candidates, session) for status in asked))
        settled_rows = {id(status): answer for status, answer in zip(asked, answers, strict=True)}
        found = [replace(status, candidates=settled_rows.get(id(status), status.candidates)) for status in found]
        open_ones = [status for status in found if _is_open(status)][:MAX_LOOKED_UP]
        finds = await asyncio.gather(*(self._asked(status.required, session) for status in open_ones))
        known: dict[int, tuple[Candidate, ...]] = {}
        for status, (rows, failed) in zip(open_ones, finds, strict=True):
            errors.update(failed)
            known[id(status)] = rows
        complete = partial(find_candidates, lookup=lookup, links=needed.links)
        return [
            replace(
                status,
                candidates=complete(status.required, found_elsewhere=(*status.candidates, *known[id(status)])),
            )
            if id(status) in known
            else status
            for status in found
        ]

    async def _settled(self, candidates: Sequence[Candidate], session: Session | None) -> tuple[Candidate, ...]:
        sources, credentials = self.networks.of(session).sources, self.networks.credentials(session)
        return await settled(candidates, sources, credentials)

    async def _asked(
        self, model: RequiredModel, session: Session | None
    ) -> tuple[tuple[Candidate, ...], Mapping[str, ErrorInfo]]:
        network = self.networks.of(session)
        finds = await network.sources.files.find(
            model.name,
            folder_name=model.folder_name,
            sha256=model.sha256,
            credentials=self.networks.credentials(session),
        )
        return finds.candidates, finds.errors or {}


def _is_open(status: ModelStatus) -> bool:
    """Tell whether a person would have to choose: it is missing, some node runs it, and nothing sure is known."""
    return (
        status.presence is not Presence.PRESENT
        and status.required.active
        and not any(candidate.confidence.sure for candidate in status.candidates)
        and not (status.near_confidence is not None and status.near_confidence.sure)
    )
