"""Rows of the queue."""

from __future__ import annotations

from ...records.download import DownloadRequest
from ..bodies import ChangeRequest, PlanRequest
from .route import Route


def _on_download(verb: str, summary: str) -> Route:
    return Route(
        method="POST",
        path=f"/downloads/{{id}}/{verb}",
        name=f"downloads.{verb}",
        summary=summary,
        returns="the Download",
    )


DOWNLOADS_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/downloads",
        name="downloads.list",
        summary="List the queue and what came before, in order",
        returns="`{downloads: [Download]}`",
    ),
    Route(
        method="POST",
        path="/downloads",
        name="downloads.submit",
        summary="Ask for a file; the same file again gives the same Download",
        returns="the Download",
        request=DownloadRequest,
        status=202,
    ),
    Route(
        method="GET",
        path="/downloads/{id}",
        name="downloads.show",
        summary="Show one",
        returns="the Download",
    ),
    _on_download("pause", "Stop and keep the part"),
    _on_download("resume", "Go on where it stopped"),
    _on_download("cancel", "Stop and remove the part"),
    _on_download("retry", "Try a failed or cancelled one again"),
    Route(
        method="PATCH",
        path="/downloads/{id}",
        name="downloads.change",
        summary="Move it in the queue (0 is first), or limit its bandwidth (0 lifts the limit)",
        returns="the Download",
        request=ChangeRequest,
    ),
    Route(
        method="POST",
        path="/downloads/pause-all",
        name="downloads.pause_all",
        summary="Pause all that is not finished",
        returns="`{downloads: [Download]}`",
    ),
    Route(
        method="POST",
        path="/downloads/resume-all",
        name="downloads.resume_all",
        summary="Resume all that is paused",
        returns="`{downloads: [Download]}`",
    ),
    Route(
        method="POST",
        path="/downloads/retry-failed",
        name="downloads.retry_failed",
        summary="Try all again that failed",
        returns="`{downloads: [Download]}`",
    ),
    Route(
        method="POST",
        path="/plan",
        name="downloads.plan",
        summary="Say what would become of a list of downloads: place, size, what is there, what does not fit",
        returns="`{items, volumes, fetch_bytes, fits}`",
        request=PlanRequest,
    ),
)
