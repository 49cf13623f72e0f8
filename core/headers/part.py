"""A header as hypotheses look at it: shapes in PyTorch's order, with parts that share a prefix of their names."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from .adapters import Adapters, find_adapters
from .model_header import ModelHeader, Tensor

Shape = tuple[int, ...]

_GGUF_SHAPE = "comfy.gguf.orig_shape."
_NO_DIGITS = str.maketrans("", "", "0123456789")
_BEHIND_ALL = "\U0010ffff"


class Part:
    """The tensors of a file whose names begin with `prefix`, known by the rest of their names."""

    def __init__(self, subject: Subject, prefix: str = "") -> None:
        self.subject = subject
        self.prefix = prefix

    def has(self, *names: str) -> bool:
        """Tell whether all of the names are there."""
        tensors, prefix = self.subject.tensors, self.prefix
        if len(names) == 1:  # most questions: a generator takes three times as long
            return prefix + names[0] in tensors
        return all(prefix + name in tensors for name in names)

    def any(self, *names: str) -> str | None:
        """Return the first of the names that is there."""
        return next((name for name in names if self.prefix + name in self.subject.tensors), None)

    def shape(self, name: str) -> Shape | None:
        """Return the shape of a tensor as PyTorch spells it, None where it is not there or packed by a quantisation."""
        return self.subject.shape(self.prefix + name)

    def size(self, name: str, dimension: int) -> int | None:
        """Return one dimension of a tensor, None where it has no such."""
        shape = self.shape(name)
        return shape[dimension] if shape is not None and -len(shape) <= dimension < len(shape) else None

    def holds(self, stem: str) -> bool:
        """Tell whether a name begins with the stem."""
        return self.subject.begins(self.prefix + stem)

    def names(self, stem: str = "") -> list[str]:
        """Return names, without the prefix, that begin with the stem, sorted."""
        skip = len(self.prefix)
        return [name[skip:] for name in self.subject.under(self.prefix + stem)]

    def ending(self, ending: str) -> str | None:
        """Return the first of the names, without the prefix, that end so."""
        if not self.subject.mentions(ending + "\n"):
            return None
        name = next((one for one in self.subject.under(self.prefix) if one.endswith(ending)), None)
        return name[len(self.prefix) :] if name is not None else None

    def blocks(self, stem: str) -> list[int]:
        """Return the numbers that follow a stem like `double_blocks.`, sorted."""
        skip = len(stem)
        numbers = {name[skip:].partition(".")[0] for name in self.names(stem)}
        return sorted(int(number) for number in numbers if number.isdecimal() and len(number) < 6)

    def count(self, stem: str) -> int:
        """Return how many numbered blocks follow a stem."""
        return len(self.blocks(stem))

    def told(self, *names: str) -> tuple[str, ...]:
        """Write evidence lines for tensors: name and shape."""
        lines = []
        for name in names:
            shape = self.subject.tensors[self.prefix + name].shape if self.has(name) else None
            if shape is not None:
                shown = self.shape(name)
                size = "×".join(map(str, shown if shown is not None else shape)) or "a number"
                lines.append(f"`{self.prefix}{name}` is there ({size})")
        return tuple(lines)


@dataclass(frozen=True)
class Subject:
    """A whole header."""

    header: ModelHeader

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """All tensors by name."""
        return self.header.tensors

    @cached_property
    def whole(self) -> Part:
        """All of it as one part."""
        return Part(self)

    def part(self, prefix: str) -> Part:
        """Return the tensors under a prefix."""
        return Part(self, prefix)

    @cached_property
    def names(self) -> list[str]:
        """All names, sorted: what begins alike stands together."""
        return sorted(self.tensors)

    @cached_property
    def _text(self) -> str:
        return "\n".join(("", *self.names, ""))

    @cached_property
    def _without_digits(self) -> str:
        """What is left of the names without numbers, each once: blocks are alike, so it is a small part of them."""
        return "\n".join(("", *set(self._text.translate(_NO_DIGITS).split("\n")), ""))

    def mentions(self, text: str) -> bool:
        """Tell whether a text is in a name; a line break at its end stands for the end of names."""
        return text.translate(_NO_DIGITS) in self._without_digits and text in self._text

    def begins(self, stem: str) -> bool:
        """Tell whether a name begins with the stem."""
        names = self.names
        at = bisect_left(names, stem)
        return at < len(names) and names[at].startswith(stem)

    def under(self, stem: str) -> list[str]:
        """Return the names that begin with the stem."""
        names = self.names
        start = bisect_left(names, stem)
        return names[start : bisect_left(names, stem + _BEHIND_ALL, start)]

    @cached_property
    def adapters(self) -> Adapters | None:
        """What changes layers of another model; None for files that are models themselves."""
        return find_adapters(self.names, self.tensors, self.mentions)

    @cached_property
    def quantised(self) -> bool:
        """Whether weights are packed, so that their shapes say nothing (bitsandbytes, nunchaku, nvfp4)."""
        return any(self.mentions(ending + "\n") for ending in (".absmax", ".qweight", ".weight_scale_2"))

    def shape(self, name: str) -> Shape | None:
        """Return a shape in PyTorch's order; GGUF turns them round, and may tell the true one apart."""
        tensor = self.tensors.get(name)
        if tensor is None:
            return None
        if self.header.format == "gguf":
            told = self.header.metadata.get(_GGUF_SHAPE + name)
            if isinstance(told, list) and all(type(count) is int for count in told):
                return tuple(told)
            return tensor.shape[::-1]
        if tensor.dtype == "U8" and self.quantised:
            return None
        return tensor.shape

    def prefixes(self, *candidates: str) -> list[str]:
        """Return the candidates that some name begins with; the empty one always counts."""
        return [one for one in candidates if not one or self.begins(one)]


def gap_in(numbers: Iterable[int]) -> int | None:
    """Return the first number that is missing between the least and the greatest."""
    return next((one + 1 for one, after in pairwise(sorted(set(numbers))) if after != one + 1), None)
