"""Rows about manifests and locks; both travel as texts."""

from __future__ import annotations

from ..bodies import CheckRequest, ManifestRequest, SyncRequest, WishRequest
from .route import MIB, Route

MANIFEST_ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/manifest/lock",
        name="manifest.lock",
        summary="Pin what a workflow, prompt or manifest wants: revision, size, SHA-256",
        returns="`{lock, entries, failed: [{source, error}], near, choices, skipped}`; `lock` is null with a hole",
        request=WishRequest,
        max_body_bytes=64 * MIB,
        abandoned=True,
    ),
    Route(
        method="POST",
        path="/manifest/check",
        name="manifest.check",
        summary="Say whether the library holds what a lock says; changes nothing",
        returns="`{in_sync, entries: [{source, folder, name, size_bytes, sha256, state, reason}], extra, extra_bytes}`",
        request=CheckRequest,
        max_body_bytes=4 * MIB,
        abandoned=True,
    ),
    Route(
        method="POST",
        path="/manifest/sync",
        name="manifest.sync",
        summary="Fetch what a lock names and the library lacks",
        returns="a Job",
        request=SyncRequest,
        status=202,
        max_body_bytes=4 * MIB,
    ),
    Route(
        method="POST",
        path="/manifest/write",
        name="manifest.write",
        summary="Write a manifest of what a workflow needs, or of the files here whose sources are known",
        returns="`{manifest, with_source, without_source}`",
        request=ManifestRequest,
        max_body_bytes=64 * MIB,
    ),
)
