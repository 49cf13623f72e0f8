"""What a parsed header tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

#: Reads `size` bytes at an offset; fewer come only at the end of the file.
Read = Callable[[int, int], bytes]

#: The safetensors library's own limit (safetensors `MAX_HEADER_SIZE`); a longer header is an attack or damage.
MAX_HEADER_BYTES = 100_000_000


class Tensor(NamedTuple):
    """What is known of one tensor: type in the format's own spelling, shape, and the bytes that it takes.

    `size_bytes` is None where the type is not known. Tensors that are alike may be one object.
    """

    dtype: str
    shape: tuple[int, ...]
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHeader:
    """A header; the file must be `expected_size_bytes` long, or up to `padded_size_bytes` where formats pad."""

    format: str
    metadata: Mapping[str, object]
    tensors: Mapping[str, Tensor]
    data_start: int
    expected_size_bytes: int | None
    padded_size_bytes: int | None

    def fits(self, size_bytes: int) -> bool | None:
        """Tell whether a file of that length is whole; None where the header does not tell."""
        if self.expected_size_bytes is None or self.padded_size_bytes is None:
            return None
        return self.expected_size_bytes <= size_bytes <= self.padded_size_bytes
