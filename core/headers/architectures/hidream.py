"""HiDream: a mixture of experts in a diffusion transformer."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_CAPTION = "caption_projection.0.linear.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by one caption projection for each of its blocks."""
    if not part.has(_CAPTION) or not part.holds("double_stream_blocks."):
        return f"no `{_CAPTION}`"
    blocks = ("double_stream_blocks.", "single_stream_blocks.")
    return Match("HiDream", "I1", part.told(_CAPTION), blocks)
