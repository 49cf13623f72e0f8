"""Rows about the pod: its services, its doctor, and what its controller tells."""

from __future__ import annotations

from ...records.pod import PodState
from .route import MIB, Route


def _on_service(verb: str, summary: str) -> Route:
    return Route(
        method="POST",
        path=f"/pod/services/{{name}}/{verb}",
        name=f"pod.services.{verb}",
        summary=summary,
        returns="the status of the service",
    )


POD_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/pod",
        name="pod.show",
        summary="Show the pod that this machine is: services, how its start went, what it costs, who uses it",
        returns="`{present, told_at, provider, pod_id, started_at, settled, services, boot}`",
    ),
    _on_service("start", "Start a service that was stopped or gave up"),
    _on_service("stop", "Stop a service until somebody starts it"),
    _on_service("restart", "End a service and start it again"),
    Route(
        method="GET",
        path="/pod/doctor",
        name="pod.doctor",
        summary="Look for what breaks pods, without writing anything; works on any machine",
        returns="`{findings: [{check, state, what, what_to_do}]}`",
    ),
    Route(
        method="POST",
        path="/pod/state",
        name="pod.state",
        summary="Tell the state of the services and of the start",
        returns="`{}`",
        request=PodState,
        max_body_bytes=MIB,
        internal=True,
    ),
)
