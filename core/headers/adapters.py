"""Tensors of low rank that change a model's layers: LoRA, LoHa, LoKr, DoRA and their kin, in all spellings in use.

Suffixes: kohya-ss `sd-scripts` (`lora_down`), diffusers and PEFT (`lora_A`, `lora.down`, `to_q_lora.down`), LyCORIS
(`hada_`, `lokr_`, `oft_`), ComfyUI (`diff`, `set_weight`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
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
        halves = self.halves
        shape = halves.get("down") or halves.get("A") or halves.get("w1_b")
        return shape[0] if shape else None

    @property
    def is_half(self) -> bool:
        """Whether one of a pair is missing, as in a file that was cut and mended, or badly merged."""
        halves = self.halves
        if self.algorithm == "LoHa":
            return not halves.keys() >= {"w1_a", "w1_b", "w2_a", "w2_b"}
        return ("down" in halves) != ("up" in halves) or ("A" in halves) != ("B" in halves)


def find_adapters(tensors: Mapping[str, Tensor]) -> dict[str, Adapter]:
    """Return the adapter of each layer by the layer's name in the file, empty for a file that is none."""
    names = "\n".join((*tensors, ""))
    if not any(mark in names for mark in _MARKS):
        return {}
    found: dict[str, tuple[str, dict[str, Shape]]] = {}
    for name, tensor in tensors.items():
        if name.endswith(".alpha"):
            continue
        role = _role(name)
        if role is not None:
            algorithm, half, length = role
            found.setdefault(name[:-length], (algorithm, {}))[1][half] = tensor.shape
    adapters = {layer: Adapter(algorithm, halves) for layer, (algorithm, halves) in found.items()}
    if all(algorithm in {"full difference", "GLoRA"} for algorithm, _ in found.values()):
        return _certain(adapters)
    return adapters


def _role(name: str) -> tuple[str, str, int] | None:
    """Return algorithm, role and length of the suffix. As few words as tell it are looked at: they are remembered."""
    words = name.rsplit(".", 3)
    count = 1
    if words[-1] == "weight" and len(words) > 1:
        count = 3 if words[-2] in {"down", "up", "mid"} or words[-2].startswith("default") else 2
    return _role_of("." + ".".join(words[-count:]))


@lru_cache(maxsize=4096)
def _role_of(ending: str) -> tuple[str, str, int] | None:
    match = _SUFFIX.search(ending)
    if match is None or match.lastgroup is None:
        return None
    return _NAMES[match.lastgroup], match[match.lastgroup], len(match[0])


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
