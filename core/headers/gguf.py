"""The GGUF header: typed metadata, then tensor infos, then aligned data (ggml `docs/gguf.md`)."""

from __future__ import annotations

import math
import struct

from ..errors import HeaderError
from .model_header import MAX_HEADER_BYTES, ModelHeader, Read, Tensor

_MAX_ENTRIES = 1 << 20
_MAX_DIMENSIONS = 8
_MAX_KEPT_ITEMS = 64
_WINDOW_BYTES = 1 << 20

# Value types of metadata (gguf.md, `gguf_metadata_value_type`): struct format, or None for strings and arrays.
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9

# ggml types: name, elements a block, bytes a block (ggml `ggml.c`, `type_traits`).
_TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}


class _Cursor:
    """Walks along the header in windows, and never beyond the limit."""

    def __init__(self, read: Read, size_bytes: int) -> None:
        self._read = read
        self._limit = min(size_bytes, MAX_HEADER_BYTES)
        self._window = b""
        self._window_start = 0
        self.at = 0

    def take(self, count: int) -> bytes:
        if count > self._limit - self.at:
            raise _bad("its header is longer than the file or than 100 MB")
        begin = self.at - self._window_start
        if begin + count > len(self._window):
            self._window = self._read(self.at, min(max(count, _WINDOW_BYTES), self._limit - self.at))
            self._window_start, begin = self.at, 0
            if len(self._window) < count:
                raise _bad("the file ends within the header")
        self.at += count
        return self._window[begin : begin + count]

    def scalar(self, form: str) -> int | float | bool:
        value: int | float | bool = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def count(self, form: str, most: int, what: str) -> int:
        value = int(self.scalar(form))
        if value > most:
            raise _bad(f"it claims {value} {what}")
        return value

    def text(self) -> str:
        length = self.count("<Q", MAX_HEADER_BYTES, "bytes of a text")
        return self.take(length).decode("utf-8", "replace")


def parse_gguf(read: Read, size_bytes: int) -> ModelHeader:
    """Parse the header of a file of `size_bytes`; arrays above 64 items are kept as None.

    Raises: HeaderError: no GGUF of version 2 or 3, damaged or hostile.
    """
    cursor = _Cursor(read, size_bytes)
    if cursor.take(4) != b"GGUF":
        raise _bad("it does not begin with GGUF")
    version = int(cursor.scalar("<I"))
    if version not in {2, 3}:
        raise _bad("it is big-endian" if version > 0xFFFF else f"its version {version} is not known")
    tensor_count = cursor.count("<Q", _MAX_ENTRIES, "tensors")
    entry_count = cursor.count("<Q", _MAX_ENTRIES, "metadata entries")
    metadata: dict[str, object] = {}
    for _ in range(entry_count):
        key = cursor.text()
        if key in metadata:
            raise _bad(f"it names `{key[:80]}` twice")
        metadata[key] = _value(cursor, int(cursor.scalar("<I")), depth=0)
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= 1 << 20:
        raise _bad("its alignment cannot be")
    infos = _tensor_infos(cursor, tensor_count)
    start = -(-cursor.at // alignment) * alignment
    tensors = {name: _tensor(shape, kind) for name, (shape, kind, _) in infos.items()}
    sizes = [tensor.size_bytes for tensor in tensors.values()]
    ends = [start + at + size for (_, _, at), size in zip(infos.values(), sizes, strict=True) if size is not None]
    end = max(ends, default=start) if len(ends) == len(sizes) else None
    return ModelHeader(
        format="gguf",
        metadata=metadata,
        tensors=tensors,
        data_start=start,
        expected_size_bytes=end,
        padded_size_bytes=-(-end // alignment) * alignment if end is not None else None,
    )


def _value(cursor: _Cursor, kind: int, *, depth: int) -> object:
    if kind == _STRING:
        return cursor.text()
    if kind == _ARRAY:
        if depth > 2:
            raise _bad("its arrays are nested too deeply")
        item = int(cursor.scalar("<I"))
        return _array(cursor, item, cursor.count("<Q", MAX_HEADER_BYTES, "items of an array"), depth=depth)
    form = _SCALARS.get(kind)
    if form is None:
        raise _bad(f"a value has the unknown type {kind}")
    return cursor.scalar(form)


def _array(cursor: _Cursor, item: int, count: int, *, depth: int) -> object:
    form = _SCALARS.get(item)
    if form is not None and count > _MAX_KEPT_ITEMS:
        cursor.take(count * struct.calcsize(form))
        return None
    kept: list[object] = []
    for _ in range(count):
        value = _value(cursor, item, depth=depth + 1)
        if count <= _MAX_KEPT_ITEMS:
            kept.append(value)
    return kept if count <= _MAX_KEPT_ITEMS else None


def _tensor_infos(cursor: _Cursor, count: int) -> dict[str, tuple[tuple[int, ...], int, int]]:
    infos: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for _ in range(count):
        name = cursor.text()
        dimensions = cursor.count("<I", _MAX_DIMENSIONS, "dimensions")
        shape = tuple(int(cursor.scalar("<Q")) for _ in range(dimensions))
        kind, offset = int(cursor.scalar("<I")), int(cursor.scalar("<Q"))
        if name in infos:
            raise _bad(f"it names the tensor `{name[:80]}` twice")
        if offset >= 1 << 56:
            raise _bad("the place of a tensor cannot be")
        infos[name] = (shape, kind, offset)
    return infos


def _tensor(shape: tuple[int, ...], kind: int) -> Tensor:
    known = _TYPES.get(kind)
    if known is None:
        return Tensor(f"type {kind}", shape, None)
    name, block_elements, block_bytes = known
    elements = math.prod(shape)
    if elements % block_elements or elements >= 1 << 56:
        raise _bad("the shape of a tensor does not fit its type")
    return Tensor(name, shape, elements // block_elements * block_bytes)


def _bad(reason: str) -> HeaderError:
    return HeaderError(f"this is no whole GGUF file: {reason}", hint="download the file again")
