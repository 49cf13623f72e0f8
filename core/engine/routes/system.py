"""Rows about the machine: samples, alerts, metrics."""

from __future__ import annotations

from ..bodies import LeaseRequest
from .route import Route, Where

SYSTEM_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/system",
        name="system.show",
        summary="Show the latest sample of the machine, and what each ComfyUI does; samples nothing by itself",
        returns="`{sampling, age_seconds, sample, disk_full_in_seconds, hosts, cost_per_hour, cost_so_far, alerts, "
        "…}`; `sample` may be null",
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
)
