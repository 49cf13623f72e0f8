"""How deep models are: a LoRA for all the blocks of a shallower or deeper model is not of that base.

Names of layers and widths are shared by models that nobody here knows yet; the number of blocks seldom is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Base:
    """The base of a LoRA; `sure` is False where another base could have the same layers."""

    base_model: str | None
    version: str | None
    evidence: tuple[str, ...]
    sure: bool = True


# Base model -> stems of its blocks and how many there are, in each published size (their `config.json`).
_FLUX = {"single_blocks_": (38,), "single_transformer_blocks_": (38,), "double_blocks_": (19, 8),
         "transformer_blocks_": (19, 8)}  # fmt: skip
_DEPTHS: dict[str, dict[str, tuple[int, ...]]] = {
    "Flux": _FLUX,
    "Chroma": _FLUX,
    "Flux 2": {"single_blocks_": (48, 24, 20), "single_transformer_blocks_": (48, 24, 20), "double_blocks_": (8, 5),
               "transformer_blocks_": (8, 5)},
    "Hunyuan Video": {"single_blocks_": (40,), "single_transformer_blocks_": (40,), "double_blocks_": (20, 54),
                      "transformer_blocks_": (20, 54)},
    "Hunyuan Image": {"single_blocks_": (40,), "single_transformer_blocks_": (40,), "double_blocks_": (20,),
                      "transformer_blocks_": (20,)},
    "Qwen-Image": {"transformer_blocks_": (60,)},
    "SD 3": {"joint_blocks_": (24, 38), "transformer_blocks_": (24, 38)},
    "Wan": {"blocks_": (30, 40)},
    "ACE-Step": {"transformer_blocks_": (24,)},
    "Mochi": {"blocks_": (48,), "transformer_blocks_": (48,)},
    "CogVideoX": {"transformer_blocks_": (30, 42)},
    "LTX-Video": {"transformer_blocks_": (28, 48)},
    "LTX-2": {"transformer_blocks_": (48,)},
    "PixArt": {"blocks_": (28,), "transformer_blocks_": (28,)},
    "Cosmos": {"blocks_": (28, 36), "transformer_blocks_": (28, 36)},
    "Lumina 2": {"layers_": (26,)},
    "Z-Image": {"layers_": (30,)},
    "OmniGen 2": {"layers_": (32,)},
    "HiDream": {"double_stream_blocks_": (16,), "single_stream_blocks_": (32,)},
    "AuraFlow": {"double_layers_": (4,), "single_layers_": (32,), "joint_transformer_blocks_": (4,),
                 "single_transformer_blocks_": (32,)},
    "HunyuanDiT": {"blocks_": (40, 28)},
    "Stable Audio": {"transformer_layers_": (24,), "layers_": (24,), "transformer_blocks_": (24,)},
    "Kandinsky": {"visual_transformer_blocks_": (32, 60), "transformer_blocks_": (20,)},
}  # fmt: skip


def check_depth(base: Base, numbers: Callable[[str], set[int]]) -> Base:
    """Take a base back whose model is not as deep as the LoRA, and doubt one of which only some blocks are there."""
    fits = False
    for stem, depths in _DEPTHS.get(base.base_model or "", {}).items():
        found = numbers(stem)
        if not found:
            continue
        depth = max(found) + 1
        if depth in depths:
            fits = True
        elif depth > max(depths) or (len(found) == depth > 1):
            known = " or ".join(map(str, depths))
            note = f"it is for {depth} of `{stem}N`, where {base.base_model} has {known}"
            return Base(None, None, (*base.evidence, note), sure=False)
    if base.base_model in _DEPTHS and not fits:
        note = f"it is for some blocks only, which {base.base_model} has, and others may have, too"
        return replace(base, evidence=(*base.evidence, note), sure=False)
    return base
