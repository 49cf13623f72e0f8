"""Rows about workflows and prompts."""

from __future__ import annotations

from ..bodies import CandidatesRequest, EditRequest, EnsureRequest, FitRequest, WorkflowRequest
from .route import MIB, Route

WORKFLOW_ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/workflow/missing",
        name="workflow.missing",
        summary="Say what models a workflow or prompt needs, which are there, and where the rest can come from",
        returns="one element of `comfystow missing --json`, with `skipped`, `errors` of hubs, and `fit`",
        request=WorkflowRequest,
        max_body_bytes=64 * MIB,
        abandoned=True,
    ),
    Route(
        method="POST",
        path="/workflow/fit",
        name="workflow.fit",
        summary="Say whether what a workflow loads fits the GPU here, or the `facts` that are given",
        returns="`{verdict, sentence, needed_bytes, largest_bytes, gpu, gpu_bytes, loads, smaller, …}`",
        request=FitRequest,
        max_body_bytes=64 * MIB,
        abandoned=True,
    ),
    Route(
        method="POST",
        path="/workflow/candidates",
        name="workflow.candidates",
        summary="Look one model up by name and digest, on the hubs too",
        returns="`{candidates, errors: {provider: error}}`",
        request=CandidatesRequest,
        abandoned=True,
    ),
    Route(
        method="POST",
        path="/workflow/ensure",
        name="workflow.ensure",
        summary="Fetch what a workflow, prompt, manifest or lock lacks; only what is sure is taken",
        returns="a Job",
        request=EnsureRequest,
        status=202,
        max_body_bytes=64 * MIB,
    ),
    Route(
        method="POST",
        path="/workflow/relink",
        name="workflow.relink",
        summary="Give the document back with names of files that are here, where that is sure; keeps nothing",
        returns="`{document, changed, renames: [{from, to, nodes}]}`",
        request=EditRequest,
        max_body_bytes=64 * MIB,
    ),
    Route(
        method="POST",
        path="/workflow/embed",
        name="workflow.embed",
        summary="Give the workflow back with address, folder and digest of its models in it; keeps nothing",
        returns="`{document, written, models: [{name, url, directory, hash, hash_type, nodes, adds}]}`",
        request=EditRequest,
        max_body_bytes=64 * MIB,
        abandoned=True,
    ),
    Route(
        method="GET",
        path="/workflow/ensure/{id}",
        name="workflow.ensured",
        summary="Show how a job stands; `wait` lets it go on for up to 60 seconds first",
        returns="a Job",
        query=("wait",),
    ),
)
