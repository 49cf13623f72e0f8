"""The queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...downloads.view import download_json
from ...errors import NotFoundHereError, UsageError
from ...provision.placing.plan import plan_json
from ...records.download import Download, DownloadRequest
from ..bodies import ChangeRequest, PlanRequest
from .call import Call, Handler


def _found(call: Call) -> Download:
    download = call.runtime.downloads.get(call.parameters["id"])
    if download is None:
        raise NotFoundHereError(f"there is no download `{call.parameters['id'][:60]}`")
    return download


def _shown(call: Call, download: Download) -> dict[str, object]:
    return download_json(download, with_paths=call.local)


async def list_all(call: Call) -> object:
    """List the queue and its history."""
    return {"downloads": [_shown(call, download) for download in call.runtime.downloads.list()]}


async def show(call: Call) -> object:
    """Show one."""
    return _shown(call, _found(call))


async def submit(call: Call) -> object:
    """Take a request into the queue."""
    request: DownloadRequest = call.body
    return _shown(call, await call.runtime.downloads.submit(request, call.session))


async def plan(call: Call) -> object:
    """Say what would become of a list of downloads."""
    wanted: PlanRequest = call.body
    return plan_json(await call.runtime.planner.plan(wanted.downloads, call.session), with_paths=call.local)


async def change(call: Call) -> object:
    """Change the place in the queue, or the bandwidth."""
    request: ChangeRequest = call.body
    downloads, download = call.runtime.downloads, _found(call)
    if request.position is None and request.limit_rate_bytes_per_second is None:
        raise UsageError("nothing to change", hint="say `position` or `limit_rate_bytes_per_second`")
    if request.limit_rate_bytes_per_second is not None:
        download = await downloads.limit(download.id, request.limit_rate_bytes_per_second)
    if request.position is not None:
        download = await downloads.move(download.id, request.position)
    return _shown(call, download)


def _control(verb: str) -> Handler:
    async def handler(call: Call) -> object:
        act: Callable[[str], Awaitable[Download]] = getattr(call.runtime.downloads, verb)
        return _shown(call, await act(_found(call).id))

    return handler


async def pause_all(call: Call) -> object:
    """Pause everything."""
    await call.runtime.downloads.pause_all()
    return await list_all(call)


async def resume_all(call: Call) -> object:
    """Resume everything."""
    await call.runtime.downloads.resume_all()
    return await list_all(call)


async def retry_failed(call: Call) -> object:
    """Try all again that failed."""
    await call.runtime.downloads.retry_failed()
    return await list_all(call)


DOWNLOADS: dict[str, Handler] = {
    "downloads.list": list_all,
    "downloads.show": show,
    "downloads.submit": submit,
    "downloads.plan": plan,
    "downloads.change": change,
    "downloads.pause_all": pause_all,
    "downloads.resume_all": resume_all,
    "downloads.retry_failed": retry_failed,
    **{f"downloads.{verb}": _control(verb) for verb in ("pause", "resume", "cancel", "retry")},
}
