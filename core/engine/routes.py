"""The one table of routes: what the engine serves, ComfyUI's server mounts, openapi.json and docs/http.md say.

Rows of `Where.ENGINE` are served by the engine and proxied by ComfyUI's server under `HTTP_PREFIX`; rows of
`Where.HOST` need torch or ComfyUI's queue and are served there; `internal` rows are between the engine and its callers
on this machine, and are never proxied. A row that is added here needs a handler in `handlers/` (a test compares).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..records.download import DownloadRequest
from ..records.session import HostState, Session
from .bodies import (
    Credential,
    ExpandRequest,
    InspectRequest,
    LeaseRequest,
    MoveRequest,
    PlanRequest,
    SettingsRequest,
    WorkflowRequest,
)
from .protocol import StopRequest

MIB = 1 << 20


class Where(StrEnum):
    """Who answers."""

    ENGINE = "engine"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row. `request` is the record of the body, None for no body; `returns` describes the answer in words.

    `query` names what may stand behind the path's `?`.
    """

    method: str
    path: str
    name: str
    summary: str
    returns: str
    request: type | None = None
    status: int = 200
    where: Where = Where.ENGINE
    internal: bool = False
    max_body_bytes: int = MIB
    query: tuple[str, ...] = ()
    content_type: str = "application/json"
    abandoned: bool = False
    """True where the work ends with the caller who goes away; else what began is brought to its end."""

    @property
    def changes(self) -> bool:
        """True where a request may change something: the gate asks more of it."""
        return self.method != "GET"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names in braces."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


def _on_download(verb: str, summary: str) -> Route:
    return Route(
        method="POST",
        path=f"/downloads/{{id}}/{verb}",
        name=f"downloads.{verb}",
        summary=summary,
        returns="the Download",
    )


ROUTES: tuple[Route, ...] = (
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
    _on_download("pause", "Stop and keep the part"),
    _on_download("resume", "Go on where it stopped"),
    _on_download("cancel", "Stop and remove the part"),
    _on_download("retry", "Try a failed or cancelled one again"),
    Route(
        method="PATCH",
        path="/downloads/{id}",
        name="downloads.move",
        summary="Move it in the queue; 0 is first",
        returns="the Download",
        request=MoveRequest,
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
    Route(
        method="POST",
        path="/inspect",
        name="sources.inspect",
        summary="Read the headers of files at their sources, by small ranged requests",
        returns="`{files: [one element of comfystow inspect --json]}`",
        request=InspectRequest,
        abandoned=True,
    ),
    Route(
        method="POST",
        path="/expand",
        name="sources.expand",
        summary="List the model files of a Hugging Face repository or folder that patterns choose",
        returns="`{files: [{source, path, filename, folder_name, subfolder, size_bytes, sha256}], skipped}`",
        request=ExpandRequest,
        abandoned=True,
    ),
    Route(
        method="GET",
        path="/search",
        name="sources.search",
        summary="Search models by name on Hugging Face and Civitai, best first",
        returns="`{hits: [{provider, title, source, page_url, …}], errors: {provider: error}}`",
        query=("q", "folder", "provider", "limit"),
        abandoned=True,
    ),
    Route(
        method="GET",
        path="/settings",
        name="settings.get",
        summary="List the settings that may be changed here",
        returns="`{settings: [{name, value, default, doc, set_by}]}`",
    ),
    Route(
        method="PUT",
        path="/settings",
        name="settings.change",
        summary="Change settings, from now on and for the next start; null goes back to the default",
        returns="`{settings: [{name, value, default, doc, set_by}]}`",
        request=SettingsRequest,
    ),
    Route(
        method="POST",
        path="/workflow/missing",
        name="workflow.missing",
        summary="Say what models a workflow or prompt needs, which are there, and where the rest can come from",
        returns="one element of `comfystow missing --json`, and `skipped` parts",
        request=WorkflowRequest,
        max_body_bytes=64 * MIB,
    ),
    Route(
        method="GET",
        path="/credentials/{provider}",
        name="credentials.get",
        summary="Say whether there is a token, and where from; never the token",
        returns="`{provider, is_set, origin}`",
    ),
    Route(
        method="PUT",
        path="/credentials/{provider}",
        name="credentials.set",
        summary="Keep a token in the state folder",
        returns="`{provider, is_set, origin}`",
        request=Credential,
    ),
    Route(
        method="DELETE",
        path="/credentials/{provider}",
        name="credentials.clear",
        summary="Forget the token of the state folder",
        returns="`{provider, is_set, origin}`",
    ),
    Route(
        method="POST",
        path="/credentials/{provider}/test",
        name="credentials.test",
        summary="Ask the provider whose token it is",
        returns="`{provider, user, scope}`",
    ),
    Route(
        method="GET",
        path="/system",
        name="system.show",
        summary="Show the latest sample of the machine, and what each ComfyUI does; samples nothing by itself",
        returns="`{sampling, age_seconds, sample, disk_full_in_seconds, hosts, alerts, …}`; `sample` may be null",
    ),
    Route(
        method="POST",
        path="/system/lease",
        name="system.lease",
        summary="Keep the machine sampled for some seconds, and show the newest sample",
        returns="as `GET /system`",
        request=LeaseRequest,
    ),
    Route(
        method="GET",
        path="/system/history",
        name="system.history",
        summary="Show what was sampled in the last day, as columns",
        returns="`{times, cpu_utilization_ratio, …, gpus: {uuid: {utilization_ratio, …}}}`",
        query=("since", "points"),
    ),
    Route(
        method="POST",
        path="/system/free",
        name="system.free",
        summary="Let ComfyUI unload its models",
        returns="`{}`",
        where=Where.HOST,
    ),
    Route(
        method="GET",
        path="/alerts",
        name="alerts",
        summary="Show the alerts that fire or wait for their time, what is judged, and how the webhook does",
        returns="`{alerts, rules, problems, webhook}`",
    ),
    Route(
        method="GET",
        path="/metrics",
        name="metrics",
        summary="Every number for Prometheus; a scrape keeps the machine sampled for a while",
        returns="Prometheus' text format",
        content_type="text/plain",
    ),
    Route(
        method="GET",
        path="/openapi.json",
        name="openapi",
        summary="This table for programs",
        returns="OpenAPI 3.1",
    ),
    Route(
        method="GET",
        path="/engine",
        name="engine.status",
        summary="Say who the engine is; the same in every version",
        returns="`{pid, version, protocol_version, started_at, state_dir, sessions, busy, leaving}`",
        internal=True,
    ),
    Route(
        method="POST",
        path="/engine/stop",
        name="engine.stop",
        summary="Journal and leave; the same in every version",
        returns="`{leaving}`",
        request=StopRequest,
        internal=True,
    ),
    Route(
        method="POST",
        path="/host/attach",
        name="host.attach",
        summary="Make a caller a session: its folders, its node inputs, its tokens (in memory only)",
        returns="the engine's status",
        request=Session,
        max_body_bytes=32 * MIB,
        internal=True,
    ),
    Route(
        method="POST",
        path="/host/state",
        name="host.state",
        summary="Tell what ComfyUI does now",
        returns="`{}`",
        request=HostState,
        max_body_bytes=MIB,
        internal=True,
    ),
    Route(
        method="GET",
        path="/events",
        name="events",
        summary="Stream events, one JSON object a line; the session lives as long as its stream",
        returns="`{topic, data}` lines, `{topic: heartbeat}` between them",
        internal=True,
    ),
)
