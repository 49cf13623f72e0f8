"""Tensors of low rank that change a model's layers: LoRA, LoHa, LoKr, DoRA and their kin, in all spellings in use.

Suffixes: kohya-ss `sd-scripts` (`lora_down`), diffusers and PEFT (`lora_A`, `lora.down`, `to_q_lora.down`), LyCORIS
(`hada_`, `lokr_`, `oft_`), ComfyUI (`diff`, `set_weight`). A file has hundreds of layers and two or three suffixes, so
layers are kept by suffix, and what one of them is like is looked up where somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import prod
from typing import NamedTuple

from .model_header import Tensor

Shape = tuple[int, ...]
Role = tuple[str, str]

#: One of them is in the names of every file that has adapters; a line break is the end of a name.
_MARKS = ("lora", "hada_w", "lokr_w", "oft_blocks", "oft_diag", ".diff\n", ".diff_b\n", ".a1.weight\n")
#: Endings of magnitudes that are trained beside directions (DoRA).
DORA = (".dora_scale\n", ".lora_magnitude_vector\n", ".lora_magnitude_vector.weight\n")

_DEFAULTS = ("default", *(f"default_{number}" for number in range(10)))
# What a name holds -> suffixes that it then may have -> algorithm, role.
_SUFFIXES: dict[str, dict[str, Role]] = {
    **{
        f"{before}lora{behind}": {
            f"{before}lora{behind}{half}.weight": ("LoRA", half) for half in ("down", "up", "mid")
        }
        for before in "._"
        for behind in "._"
    },
    ".lora_linear_layer.": {f".lora_linear_layer.{half}.weight": ("LoRA", half) for half in ("down", "up")},
    ".lora_A": {".lora_A.weight": ("LoRA", "A"), ".lora_A": ("LoRA", "A")},
    ".lora_B": {".lora_B.weight": ("LoRA", "B"), ".lora_B": ("LoRA", "B")},
    ".default": {
        f".lora_{half}.{name}{end}": ("LoRA", half) for half in "AB" for name in _DEFAULTS for end in (".weight", "")
    },
    ".hada_": {f".hada_{role}": ("LoHa", role) for role in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
    ".lokr_": {
        f".lokr_{factor}{half}": ("LoKr", f"{factor}{half}")
        for factor in ("w1", "w2", "t1", "t2")
        for half in ("", "_a", "_b")
    },
    ".oft_": {f".{role}": ("OFT", role) for role in ("oft_blocks", "oft_diag")},
    ".weight": {f".{role}.weight": ("GLoRA", role) for role in ("a1", "a2", "b1", "b2")},
    ".diff": {f".{role}": ("full difference", role) for role in ("diff", "diff_b")},
    ".set_weight": {".set_weight": ("full difference", "set_weight")},
}


class Adapter(NamedTuple):
    """What changes one layer: how, and how wide the layer is. `halves` are the shapes of its tensors, by role."""

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


class Adapters:
    """The adapters of a file. `layers` says the algorithm of each, by the layer's name in the file."""

    def __init__(self, tensors: Mapping[str, Tensor], by_suffix: Mapping[str, tuple[Role, list[str]]]) -> None:
        """Take the layers that each suffix has."""
        self._tensors = tensors
        self._by_suffix = by_suffix
        self.layers: dict[str, str] = {}
        for (algorithm, _), layers in by_suffix.values():
            self.layers |= dict.fromkeys([one for one in layers if one not in self.layers], algorithm)

    def __getitem__(self, layer: str) -> Adapter:
        """Return what changes a layer. Raises: KeyError."""
        halves = {
            half: self._tensors[layer + suffix].shape
            for suffix, ((_, half), _) in self._by_suffix.items()
            if layer + suffix in self._tensors
        }
        return Adapter(self.layers[layer], halves)

    def algorithm(self) -> str:
        """Return that of most layers."""
        return Counter(self.layers.values()).most_common(1)[0][0]

    def ranks(self) -> list[int]:
        """Return the low ranks that there are, sorted."""
        shapes = {
            self._tensors[layer + suffix].shape
            for suffix, ((_, half), layers) in self._by_suffix.items()
            if half in {"down", "A", "w1_b"}
            for layer in layers
        }
        return sorted({shape[0] for shape in shapes if shape})

    def alone(self) -> str | None:
        """Return a layer of which a tensor is missing, as in a file that was cut and mended, or badly merged."""
        for algorithm, halves in (("LoRA", ("down", "up")), ("LoRA", ("A", "B")), ("LoHa", _LOHA)):
            first, *others = (self._with(algorithm, half) for half in halves)
            different = first.union(*others) - first.intersection(*others)
            if different:
                return min(different)
        return None

    def _with(self, algorithm: str, half: str) -> set[str]:
        return {
            layer for role, layers in self._by_suffix.values() if role == (algorithm, half) for layer in layers
        }  # fmt: skip


_LOHA = ("w1_a", "w1_b", "w2_a", "w2_b")


def find_adapters(names: list[str], tensors: Mapping[str, Tensor], mentions: Callable[[str], bool]) -> Adapters | None:
    """Return the adapters of a file, None for one that has none; `mentions` looks for a text in all of the names."""
    if not any(map(mentions, _MARKS)):
        return None
    found: dict[str, tuple[Role, list[str]]] = {}
    for hint, suffixes in _SUFFIXES.items():
        if not mentions(hint):
            continue
        for suffix, role in suffixes.items():
            if mentions(suffix + "\n"):
                skip = -len(suffix)
                found[suffix] = role, [name[:skip] for name in names if name.endswith(suffix)]
    if all(algorithm in {"full difference", "GLoRA"} for (algorithm, _), _ in found.values()):
        found = _certain(found)
    return Adapters(tensors, found) if found else None


def _certain(found: dict[str, tuple[Role, list[str]]]) -> dict[str, tuple[Role, list[str]]]:
    """Keep what is an adapter without doubt where no low rank is: other models have layers called `a1` or `diff`."""
    sides = [set(layers) for (algorithm, _), layers in found.values() if algorithm == "GLoRA"]
    whole = set.intersection(*sides) if len(sides) == len(_SUFFIXES[".weight"]) else set()
    kept = "GLoRA" if whole else "full difference"
    return {
        suffix: (role, [layer for layer in layers if layer in whole] if whole else layers)
        for suffix, (role, layers) in found.items()
        if role[0] == kept
    }


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
