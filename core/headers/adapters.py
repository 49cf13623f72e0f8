"""Tensors of low rank that change a model's layers: LoRA, LoHa, LoKr, DoRA and their kin, in all spellings in use.

Suffixes: kohya-ss `sd-scripts` (`lora_down`), diffusers and PEFT (`lora_A`, `lora.down`, `to_q_lora.down`), LyCORIS
(`hada_`, `lokr_`, `oft_`), ComfyUI (`diff`, `set_weight`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from .model_header import Tensor

_MARKS = ("lora", "hada_w", "lokr_w", "oft_blocks", "oft_diag", ".diff\n", ".diff_b\n", ".a1.weight\n")
_SUFFIX = re.compile(
    r"(?:[._]lora[._](?P<kohya>down|up|mid)\.weight"
    r"|\.lora_linear_layer\.(?P<linear>down|up)\.weight"
    r"|\.lora_(?P<peft>[AB])(?:\.default(?:_\d+)?)?(?:\.weight)?"
    r"|\.hada_(?P<loha>w[12]_[ab]|t[12])"
    r"|\.lokr_(?P<lokr>[wt][12](?:_[ab])?)"
    r"|\.(?P<oft>oft_blocks|oft_diag)"
    r"|\.(?P<glora>[ab][12])\.weight"
    r"|\.(?P<diff>diff|diff_b|set_weight))$"
)
_NAMES = {"kohya": "LoRA", "linear": "LoRA", "peft": "LoRA", "loha": "LoHa", "lokr": "LoKr", "oft": "OFT",
          "glora": "GLoRA", "diff": "full difference"}  # fmt: skip
_DORA = (".dora_scale", ".lora_magnitude_vector", ".lora_magnitude_vector.weight")

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Adapter:
    """What changes one layer: how, and how wide the layer is. `halves` are the roles of its tensors."""

    algorithm: str
    halves: Mapping[str, Shape]

    @property
    def into(self) -> int | None:
        """Width that goes into the layer."""
        halves = self.halves
        for role in ("down", "A", "w1_b"):
            if role in halves and len(halves[role]) > 1:
                return halves[role][1]
        if self.algorithm == "LoKr":
            return _kronecker(halves, 1)
        return None

    @property
    def out(self) -> int | None:
        """Width that comes out of it."""
        halves = self.halves
        for role in ("up", "B", "w1_a"):
            if halves.get(role):
                return halves[role][0]
        return _kronecker(halves, 0) if self.algorithm == "LoKr" else None

    @property
    def rank(self) -> int | None:
        """The low rank, None for those that have none."""
        return next((self.halves[role][0] for role in ("down", "A", "w1_b") if self.halves.get(role)), None)

    @property
    def is_half(self) -> bool:
        """Whether one of a pair is missing, as in a file that was cut and mended, or badly merged."""
        if self.algorithm not in {"LoRA", "LoHa"}:
            return False
        roles = self.halves.keys()
        pairs = (("down", "up"), ("A", "B"), ("w1_a", "w1_b"), ("w2_a", "w2_b"))
        return any((one in roles) != (other in roles) for one, other in pairs)


def find_adapters(tensors: Mapping[str, Tensor]) -> dict[str, Adapter]:
    """Return the adapter of each layer by the layer's name in the file, empty for a file that is none."""
    names = "\n".join((*tensors, ""))
    if not any(mark in names for mark in _MARKS):
        return {}
    found: dict[str, tuple[str, dict[str, Shape]]] = {}
    for name, tensor in tensors.items():
        match = _SUFFIX.search(name)
        if match is None or match.lastgroup is None:
            continue
        layer = name[: match.start()]
        found.setdefault(layer, (_NAMES[match.lastgroup], {}))[1][match[match.lastgroup]] = tensor.shape
    adapters = {layer: Adapter(algorithm, halves) for layer, (algorithm, halves) in found.items()}
    if not any(adapter.algorithm not in {"full difference", "GLoRA"} for adapter in adapters.values()):
        return _certain(adapters)
    return adapters


def has_dora(tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether magnitudes are trained beside directions (DoRA)."""
    return any(name.endswith(_DORA) for name in tensors)


def _certain(adapters: dict[str, Adapter]) -> dict[str, Adapter]:
    """Keep what is an adapter without doubt where no low rank is: other models have layers called `a1` or `diff`."""
    full = {layer: one for layer, one in adapters.items() if one.algorithm == "full difference"}
    pairs = {layer: one for layer, one in adapters.items() if {"a1", "a2", "b1", "b2"} <= one.halves.keys()}
    return pairs or full


def _kronecker(halves: Mapping[str, Shape], side: int) -> int | None:
    """Multiply the sides of both factors; each may be whole or of low rank itself."""
    sides = []
    for factor in ("w1", "w2"):
        whole, low = halves.get(factor), halves.get(f"{factor}_{'ab'[side]}")
        shape = whole if whole is not None else low
        if shape is None or len(shape) <= side:
            return None
        sides.append(shape[side])
    return prod(sides)
