"""HunyuanDiT: Tencent's bilingual diffusion transformer."""

from __future__ import annotations

from ..classification import Match
from ..part import Part

_NATIVE = "mlp_t5.0.weight"
_DIFFUSERS = "text_embedder.linear_1.weight"


def recognise(part: Part) -> Match | str:
    """Recognise it by the layer that takes T5's text in."""
    if part.has(_NATIVE, "x_embedder.proj.weight"):
        size = part.size("extra_embedder.0.weight", 1)
        told = part.told(_NATIVE, "extra_embedder.0.weight")
        return Match("HunyuanDiT", "1.0 or 1.1" if size == 3968 else "1.2", told, ("blocks.",))
    if part.has(_DIFFUSERS, "text_embedding_padding", "pos_embed.proj.weight"):
        return Match("HunyuanDiT", None, part.told(_DIFFUSERS, "text_embedding_padding"), ("blocks.",))
    return f"no `{_NATIVE}`"
