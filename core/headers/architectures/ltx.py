"""LTX-Video and LTX-2: Lightricks' video transformers, the second with sound."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_NATIVE = "adaln_single.emb.timestep_embedder.linear_1.bias"
_DIFFUSERS = "time_embed.emb.timestep_embedder.linear_1.bias"
_SOUND = ("audio_patchify_proj.weight", "audio_proj_in.weight")


def recognise(part: Part) -> Match | str:
    """Recognise it by single adaptive norms without a position embedding."""
    norm = part.any(_NATIVE, _DIFFUSERS)
    if norm is None or part.has("pos_embed.proj.bias"):
        return f"no `{_NATIVE}`, or one with a position embedding"
    first = part.any("patchify_proj.weight", "proj_in.weight")
    if first is None or not part.has("scale_shift_table"):
        return "single adaptive norms without `patchify_proj.weight`"
    sound = part.any(*_SOUND)
    if sound is not None:
        return Match("LTX-2", None, part.told(norm, first, sound), ("transformer_blocks.",))
    width = part.size("scale_shift_table", -1)
    version = {2048: "2B", 4096: "13B"}.get(width or 0)
    return Match("LTX-Video", version, part.told(norm, first), ("transformer_blocks.",))
