"""The safetensors header: 8 bytes of length, JSON, tensors without holes (safetensors README, "Format")."""

from __future__ import annotations

import json
import math
import struct

from ..errors import HeaderError
from .model_header import MAX_HEADER_BYTES, ModelHeader, Read, Tensor

# Bits an element takes (safetensors `tensor.rs`, `Dtype::bitsize`).
_DTYPE_BITS = {
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}


def parse_safetensors(read: Read, size_bytes: int) -> ModelHeader:
    """Parse the header of a file of `size_bytes`, which may still lack the data behind the header.

    Raises: HeaderError: no safetensors, damaged, or hostile (overlaps, holes, duplicates, lengths that do not fit).
    """
    prefix = read(0, 8)
    if len(prefix) < 8:
        raise _bad("it is shorter than 8 bytes")
    (length,) = struct.unpack("<Q", prefix)
    if not 2 <= length <= MAX_HEADER_BYTES:
        raise _bad(f"its header would be {length} bytes long")
    if 8 + length > size_bytes:
        raise _bad(f"its header ends at {8 + length}, the file at {size_bytes}")
    raw = read(8, length)
    if len(raw) != length:
        raise _bad("the file ends within the header")
    entries = _load(raw)
    metadata = _metadata(entries.pop("__metadata__", None))
    start = 8 + length
    tensors = {name: _tensor(name, entry, start) for name, entry in entries.items()}
    end = _end_without_holes(tensors, start)
    return ModelHeader(
        format="safetensors",
        metadata=metadata,
        tensors=tensors,
        data_start=start,
        expected_size_bytes=end,
        padded_size_bytes=end,
    )


def _load(raw: bytes) -> dict[str, object]:
    if not raw.startswith(b"{"):
        raise _bad("its header is no JSON object")
    try:
        entries = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except HeaderError:
        raise
    except (ValueError, RecursionError) as err:
        raise _bad("its header is no proper JSON") from err
    if not isinstance(entries, dict):
        raise _bad("its header is no JSON object")
    return entries


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise _bad("its header names a key twice")
    return entries


def _no_constant(name: str) -> object:
    raise _bad(f"its header holds {name}")


def _metadata(value: object) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise _bad("its metadata is no mapping of texts")
    return value


def _tensor(name: str, entry: object, data_start: int) -> Tensor:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise _bad(f"the entry of `{name[:80]}` is not that of a tensor")
    if not all(type(count) is int and 0 <= count < 1 << 48 for count in shape) or len(shape) > 64:
        raise _bad(f"the shape of `{name[:80]}` cannot be")
    if not 0 <= begin <= end < 1 << 62:
        raise _bad(f"the offsets of `{name[:80]}` cannot be")
    bits = _DTYPE_BITS.get(dtype)
    if bits is not None and math.prod(shape) * bits != (end - begin) * 8:
        raise _bad(f"the length of `{name[:80]}` does not fit its shape and type")
    return Tensor(dtype, tuple(shape), data_start + begin, data_start + end)


def _end_without_holes(tensors: dict[str, Tensor], data_start: int) -> int:
    """Return where the data ends; the library refuses holes and overlaps, so that each byte belongs to one tensor."""
    at = data_start
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.start, tensor.stop or 0)):
        if tensor.start != at or tensor.stop is None:
            raise _bad("its tensors overlap or leave holes")
        at = tensor.stop
    return at


def _bad(reason: str) -> HeaderError:
    return HeaderError(f"this is no whole safetensors file: {reason}", hint="download the file again")
