"""What a workflow needs."""

from __future__ import annotations

from ...net.secrets import scrub
from ...records.json import to_json
from ...records.workflow import RequiredModel
from ..bodies import CandidatesRequest, FitRequest, WorkflowRequest
from .call import Call, Handler
from .needs import finder_of, fit_of, need_document, shown


async def missing(call: Call) -> object:
    """Say what a workflow or prompt needs, what is there, and where the rest can come from."""
    request: WorkflowRequest = call.body
    document = need_document(request.workflow, request.prompt)
    needs = await finder_of(call).needs(document, call.session, search=request.search)
    return {
        "workflow": None,
        "models": shown(call, needs.statuses),
        "error": None,
        "skipped": to_json(needs.requirements.skipped),
        "errors": _scrubbed(to_json(needs.errors)),
        "fit": await fit_of(call, needs.statuses, request.facts) if request.fit else None,
    }


async def fit(call: Call) -> object:
    """Say whether it fits; who goes away ends the asking."""
    request: FitRequest = call.body
    needs = await finder_of(call).needs(need_document(request.workflow, request.prompt), call.session)
    return await fit_of(call, needs.statuses, request.facts)


async def candidates(call: Call) -> object:
    """Say where one model can come from, the hubs included; who goes away ends the search."""
    from ...workflow.missing import candidate_json

    request: CandidatesRequest = call.body
    model = RequiredModel(name=request.name, folder_name=request.folder_name, url=request.url, sha256=request.sha256)
    found, errors = await finder_of(call).candidates(model, call.session)
    return {"candidates": [candidate_json(row) for row in found], "errors": _scrubbed(to_json(errors))}


def _scrubbed(errors: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    return {name: {**error, "message": scrub(str(error["message"]))} for name, error in errors.items()}


WORKFLOW: dict[str, Handler] = {"workflow.missing": missing, "workflow.fit": fit, "workflow.candidates": candidates}
