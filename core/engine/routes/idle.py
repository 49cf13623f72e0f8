"""Rows about a machine that stops when nobody uses it."""

from __future__ import annotations

from ...records.idle import KeepAliveRequest
from .route import Route

IDLE_ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/idle/keep-alive",
        name="idle.keep_alive",
        summary="Keep the machine up for some seconds, whatever is done on it; 0 ends that",
        returns="`idle` of `GET /pod`",
        request=KeepAliveRequest,
    ),
)
