"""The safetensors header: 8 bytes of length, JSON, tensors without holes (safetensors README, "Format").

The JSON is of one form only, so a pattern reads it: faster than a general parser with a look at every key, and in
memory that stays a small multiple of the header, whatever a stranger puts there. Runs of entries as the libraries
write them are cut apart and proven as lists, by what the interpreter does in C; an entry of another form (other order
of its fields, escapes in its name) is parsed as JSON, alone.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from operator import itemgetter, sub

from ..errors import HeaderError
from .entry_runs import RUNS
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
_SIZE = itemgetter(Tensor._fields.index("size_bytes"))
_MAX_DIMENSIONS = 64
#: No entry of 64 dimensions is longer; a longer one is not parsed.
_MAX_ENTRY_CHARS = 8192

_TEXT = r'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"'
_PLAIN_ENTRY = re.compile(
    r'\s*"([^"\\\x00-\x1f]*+)"\s*:\s*\{\s*"dtype"\s*:\s*"([A-Z0-9_]{1,20}"\s*,\s*"shape"\s*:\s*\[[0-9, ]*+)\]\s*,'
    r'\s*"data_offsets"\s*:\s*\[\s*([0-9]{1,18}\s*,\s*[0-9]{1,18})\s*\]\s*\}\s*([,}])'
)
#: What stands between the quotes of a type and the bracket behind its shape.
_KIND = re.compile(r'([A-Z0-9_]{1,20})"\s*,\s*"shape"\s*:\s*\[([0-9, ]*+)')
_NAME = re.compile(rf"\s*({_TEXT})\s*:\s*")
_METADATA = re.compile(rf"\{{\s*(?:{_TEXT}\s*:\s*{_TEXT}\s*(?:,(?!\s*\}})\s*|(?=\}})))*+\}}|null")
_EMPTY = re.compile(r"\{\s*\}")
_AFTER_ENTRY = re.compile(r"\s*([,}])")
_NUMBERS = re.compile(r" *(?:[0-9]{1,15}(?: *, *[0-9]{1,15})* *)?")
_METADATA_KEY = "__metadata__"


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
    if not raw.startswith(b"{"):
        raise _bad("its header is no JSON object")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as err:
        raise _bad("its header is no UTF-8") from err
    del raw
    parsed = _Entries(text)
    end = 8 + length + parsed.data_bytes()
    return ModelHeader(
        format="safetensors",
        metadata=parsed.metadata,
        tensors=parsed.tensors,
        data_start=8 + length,
        expected_size_bytes=end,
        padded_size_bytes=end,
    )


class _Kinds(dict[str, Tensor]):
    """Tensors by the text of type and shape: a header has thousands of entries, and tens of these."""

    def __missing__(self, text: str) -> Tensor:
        tensor = self[text] = _tensor_like(text)
        return tensor


class _Entries:
    """Walks along the entries, each beginning where the last one ended."""

    def __init__(self, text: str) -> None:
        self.metadata: dict[str, object] = {}
        self.tensors: dict[str, Tensor] = {}
        self._text = text
        self._has_metadata = False
        self._kinds = _Kinds()
        self._end = 0
        """Where the data of the last entry ends, and with it that of the next one begins, as the library writes it."""
        self._places: list[tuple[int, int]] = []
        """Which data is accounted for."""
        empty = _EMPTY.match(text)
        at, more = (empty.end(), "}") if empty is not None else (1, ",")
        while more == ",":
            at, more = self._plain(self._run(at))
            if more == ",":
                at, more = self._other(at)
        if text[at:].strip(" \t\r\n"):
            raise _bad("its header goes on after its end")

    def data_bytes(self) -> int:
        """Return how long the data is; the library refuses holes and overlaps: each byte belongs to one tensor."""
        at = 0
        for start, stop in sorted(self._places):
            if start != at:
                raise _bad("its tensors overlap or leave holes")
            at = stop
        return at

    def _run(self, at: int) -> int:
        """Take entries as the libraries write them; returns where the run ends."""
        for run in RUNS:
            for entries in run.cut(self._text, at):
                self._take(entries.names, entries.kinds, entries.offsets)
                at = entries.end
        return at

    def _plain(self, at: int) -> tuple[int, str]:
        """Take entries of the usual form with any spaces; stop at one that is not, or at the end."""
        for entry in _entries_from(self._text, at):
            self._take([entry[1]], [entry[2]], [entry[3]])
            at = entry.end()
            if entry[4] == "}":
                return at, "}"
        return at, ","

    def _take(self, names: list[str], kinds: list[str], offsets: list[str]) -> None:
        tensors, before = self.tensors, len(self.tensors)
        taken = list(map(self._kinds.__getitem__, kinds))
        tensors.update(zip(names, taken, strict=True))
        if len(tensors) != before + len(names) or _METADATA_KEY in tensors:
            raise _bad("its header names a key twice")
        if not self._follow(taken, offsets):
            self._lie_anywhere(names, taken, offsets)

    def _follow(self, taken: list[Tensor], offsets: list[str]) -> bool:
        """Account for entries in the order of their bytes: then shapes say the offsets, down to their spelling."""
        if None in map(_SIZE, taken):
            return False
        ends = list(accumulate(map(_SIZE, taken), initial=self._end))
        numbers = list(map(str, ends))
        flat = [""] * (2 * len(taken))
        flat[0::2], flat[1::2] = numbers[:-1], numbers[1:]
        between = ", " if " " in offsets[0] else ","
        if between.join(flat) != between.join(offsets):
            return False
        self._places.append((self._end, ends[-1]))
        self._end = ends[-1]
        return True

    def _lie_anywhere(self, names: list[str], taken: list[Tensor], offsets: list[str]) -> None:
        """Account for entries in any order: lengths are compared here, and places when all of them are known."""
        flat = list(map(int, ",".join(offsets).split(",")))
        starts, stops = flat[0::2], flat[1::2]
        if list(map(sub, stops, starts)) != list(map(_SIZE, taken)):
            for name, tensor, start, stop in zip(names, taken, starts, stops, strict=True):
                _check_length(name, tensor, start, stop)
        self._places += zip(starts, stops, strict=True)
        self._end = stops[-1]

    def _other(self, at: int) -> tuple[int, str]:
        """Take one entry of another form: the metadata, or JSON that is written unusually."""
        key = _NAME.match(self._text, at)
        if key is None:
            raise _bad("its header is no proper JSON")
        name = _loads(key[1])
        if not isinstance(name, str) or name != _readable(name):
            raise _bad("one of its names is no text")
        at = key.end()
        at = self._take_metadata(at) if name == _METADATA_KEY else self._take_tensor(name, at)
        after = _AFTER_ENTRY.match(self._text, at)
        if after is None:
            raise _bad("its header is no proper JSON")
        return after.end(), after[1]

    def _take_metadata(self, at: int) -> int:
        found = _METADATA.match(self._text, at)
        if found is None:
            raise _bad("its metadata is no mapping of texts")
        if self._has_metadata:
            raise _bad("its header names a key twice")
        self._has_metadata = True
        values = _loads(found[0]) or {}
        if not isinstance(values, dict):
            raise _bad("its metadata is no mapping of texts")
        self.metadata.update((_readable(key), _readable(value)) for key, value in values.items())
        return found.end()

    def _take_tensor(self, name: str, at: int) -> int:
        try:
            entry, length = _DECODER.raw_decode(self._text[at : at + _MAX_ENTRY_CHARS])
        except (ValueError, RecursionError) as err:
            raise _bad(f"the entry of `{name[:80]}` is not that of a tensor") from err
        if name in self.tensors:
            raise _bad("its header names a key twice")
        tensor, start, stop = _tensor(name, entry)
        _check_length(name, tensor, start, stop)
        self.tensors[name] = tensor
        self._places.append((start, stop))
        self._end = stop
        return at + length


def _entries_from(text: str, at: int) -> Iterator[re.Match[str]]:
    """Give matches as long as each begins where the last ended."""
    for entry in _PLAIN_ENTRY.finditer(text, at):
        if entry.start() != at:
            return
        yield entry
        at = entry.end()


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise _bad("its header names a key twice")
    return entries


def _no_constant(name: str) -> object:
    raise _bad(f"its header holds {name}")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _loads(text: str) -> object:
    try:
        value: object = _DECODER.decode(text)
    except (ValueError, RecursionError) as err:
        raise _bad("its header is no proper JSON") from err
    return value


def _readable(text: str) -> str:
    """Replace lone surrogates, which JSON can spell and nothing can print."""
    return text.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=4096)
def _tensor_like(text: str) -> Tensor:
    found = _KIND.fullmatch(text)
    if found is None or _NUMBERS.fullmatch(found[2]) is None:
        raise _bad("the shape of a tensor cannot be")
    shape = tuple(map(int, found[2].split(","))) if found[2].strip() else ()
    return Tensor(found[1], shape, _size_bytes(found[1], shape))


def _size_bytes(dtype: str, shape: tuple[int, ...]) -> int | None:
    """Return the bytes of a tensor, None for a type that is not known."""
    if len(shape) > _MAX_DIMENSIONS or not all(0 <= count < 1 << 48 for count in shape):
        raise _bad("the shape of a tensor cannot be")
    bits = _DTYPE_BITS.get(dtype)
    if bits is None:
        return None
    size, rest = divmod(math.prod(shape) * bits, 8)
    if rest:
        raise _bad("the length of a tensor does not fit its shape and type")
    return size


def _tensor(name: str, entry: object) -> tuple[Tensor, int, int]:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)], **rest} if not rest:
            pass
        case _:
            raise _bad(f"the entry of `{name[:80]}` is not that of a tensor")
    if not all(type(count) is int for count in (*shape, begin, end)):
        raise _bad(f"the shape of `{name[:80]}` cannot be")
    if not 0 <= begin <= end < 1 << 62:
        raise _bad(f"the offsets of `{name[:80]}` cannot be")
    return Tensor(dtype, tuple(shape), _size_bytes(dtype, tuple(shape))), begin, end


def _check_length(name: str, tensor: Tensor, start: int, stop: int) -> None:
    if start > stop or tensor.size_bytes not in {None, stop - start}:
        raise _bad(f"the length of `{name[:80]}` does not fit its shape and type")


def _bad(reason: str) -> HeaderError:
    return HeaderError(f"this is no whole safetensors file: {reason}", hint="download the file again")
