"""Fetch what a workflow, manifest or lock lacks, as a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...downloads.view import download_json
from ...errors import StowError, UsageError
from ...net.secrets import scrub
from ...provision.needs.jobs import Job, JobState, Refusal
from ...records.download import DownloadRequest, ErrorInfo
from ...records.json import to_json
from ..bodies import EnsureRequest
from .call import Call, Handler
from .needs import finder_of, fit_of, shown, wish_of

_MAX_WAIT_SECONDS = 60.0


async def ensure(call: Call) -> object:
    """Take what is sure into the queue; with `apply` false only say what would be taken."""
    from ...provision.needs.wishes import read_wish  # late: see `needs`

    request: EnsureRequest = call.body
    wish = await wish_of(call, request, search=request.search)
    wanted = await read_wish(wish, finder_of(call), call.session)
    choices = wanted.choices
    # A command asks what it is to submit itself: a link without its secret would lead nowhere.
    whole = call.local and not request.apply
    told = {
        "present": choices.present,
        "near": shown(call, choices.near),
        "choices": shown(call, choices.open),
        "skipped": to_json(wanted.skipped),
        "errors": to_json(wanted.errors),
        "requests": [row if whole else _request_json(row) for row in to_json(choices.requests)],
        "fit": await fit_of(call, wanted.statuses, request.facts) if request.fit and wanted.statuses else None,
    }
    lacking = len(choices.near) + len(choices.open)
    if not request.apply:
        return _view(None, JobState.PLANNED, told)
    return _job_view(call, await call.runtime.jobs.start(choices.requests, call.session, lacking=lacking, told=told))


async def start_job(
    call: Call,
    requests: Sequence[DownloadRequest],
    *,
    present: int,
    blocked: Sequence[tuple[DownloadRequest, StowError]],
) -> object:
    """Begin a job of which nothing is left to choose; `blocked` is refused before it begins."""
    told: dict[str, Any] = {"present": present, "near": [], "choices": [], "skipped": [], "errors": {}, "fit": None}
    told["requests"] = [_request_json(row) for row in to_json(requests)]
    refused = [Refusal(request=request, error=ErrorInfo.of(error)) for request, error in blocked]
    job = await call.runtime.jobs.start(requests, call.session, lacking=0, told=told, refused=refused)
    return _job_view(call, job)


async def ensured(call: Call) -> object:
    """Say how a job stands; `wait` seconds long it may first go on."""
    job = call.runtime.jobs.need(call.parameters["id"])
    try:
        seconds = float(call.query.get("wait", "0"))
    except ValueError:
        raise UsageError("`wait` is no number of seconds") from None
    if not 0 <= seconds <= _MAX_WAIT_SECONDS:
        raise UsageError(f"`wait` is from 0 to {_MAX_WAIT_SECONDS:g} seconds")
    await call.runtime.jobs.wait(job, seconds)
    return _job_view(call, job)


def _job_view(call: Call, job: Job) -> dict[str, Any]:
    jobs = call.runtime.jobs
    view = _view(job.id, jobs.state(job), job.told)
    view["created_at"] = job.created_at
    view["downloads"] = [download_json(row, with_paths=call.local) for row in jobs.downloads(job)]
    view["refused"] = [
        {"request": _request_json(to_json(row.request)), "error": to_json(row.error)} for row in job.refused
    ]
    return view


def _view(job_id: str | None, state: JobState, told: Any) -> dict[str, Any]:
    return {"id": job_id, "state": state.value, "created_at": None, **told, "downloads": [], "refused": []}


def _request_json(request: dict[str, Any]) -> dict[str, Any]:
    return {**request, "source": scrub(request["source"])}


ENSURE: dict[str, Handler] = {"workflow.ensure": ensure, "workflow.ensured": ensured}
