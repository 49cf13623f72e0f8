"""LTX-Video: Lightricks' video transformer."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_SINGLE = "adaln_single.emb.timestep_embedder.linear_1.bias"


def recognise(part: Part) -> Match | str:
    """Recognise it by single adaptive norms without a position embedding."""
    if not part.has(_SINGLE) or part.has("pos_embed.proj.bias"):
        return f"no `{_SINGLE}`, or one with a position embedding"
    first = part.any("patchify_proj.weight", "proj_in.weight")
    if first is None or not part.has("scale_shift_table"):
        return "single adaptive norms without `patchify_proj.weight`"
    width = part.size("scale_shift_table", -1)
    version = {2048: "2B", 4096: "13B"}.get(width or 0)
    return Match("LTX-Video", version, part.told(_SINGLE, first), ("transformer_blocks.",))
