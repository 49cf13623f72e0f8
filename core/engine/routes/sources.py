"""Rows that look at sources without downloading."""

from __future__ import annotations

from ..bodies import ExpandRequest, InspectRequest
from .route import Route

SOURCES_ROUTES: tuple[Route, ...] = (
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
)
