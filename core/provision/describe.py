"""What a header tells of a model, in the library's words."""

from __future__ import annotations

from ..headers.model_header import ModelHeader
from ..library.examine import Described
from ..sources.inspection import inspect_header


def describe(header: ModelHeader, size_bytes: int) -> Described:
    """Describe the model of a header (pure)."""
    found = inspect_header("", header, size_bytes)
    return Described(
        kind=found.kind,
        belongs_in=found.folder,
        base_model=found.base_model,
        precision=found.precision,
        parameters=found.parameters,
        vram_bytes=found.vram_bytes,
    )
