"""CogVideoX: Zhipu's video transformer."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_TEXT = "patch_embed.text_proj.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by the projection of text beside that of patches."""
    if not part.has(_TEXT, "transformer_blocks.0.norm1.linear.weight", "time_embedding.linear_1.weight"):
        return f"no `{_TEXT}`"
    version = {1920: "2B", 3072: "5B"}.get(part.size(_TEXT, 0) or 0)
    return Match("CogVideoX", version, part.told(_TEXT, "patch_embed.proj.weight"), ("transformer_blocks.",))
