"""What the first bytes of a file at rest tell: its format, its facts, and whether it can be whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ...errors import HeaderError
from ...headers.classification import Classification
from ...headers.classify import classify
from ...headers.gguf import parse_gguf
from ...headers.model_header import ModelHeader
from ...headers.safetensors import parse_safetensors
from ...headers.sniff import Content, sniff
from ...offsets import read_at
from ...records.download import Verified

#: Rows that an older examination filled are filled again by the next scan.
EXAMINATION = 2

_FIRST_BYTES = 256 << 10
#: A zip's last record and its longest comment (PKWARE APPNOTE 4.3.16).
_TAIL_BYTES = 22 + 0xFFFF
_END_OF_ZIP = b"PK\x05\x06"
_HEADED = (b".safetensors", b".sft", b".gguf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One file. `damaged` says what is wrong; `verified` is `header` where the length fits the header."""

    format: str | None = None
    model: Classification | None = None
    verified: Verified | None = None
    damaged: str | None = None


def examine(path: bytes, size_bytes: int) -> Examined:
    """Read the header of a file. Raises: OSError."""
    if size_bytes == 0:
        return Examined(damaged="it is empty")
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        first = read_at(handle, _FIRST_BYTES, 0)

        def read(offset: int, count: int) -> bytes:
            if offset + count <= len(first):
                return first[offset : offset + count]
            return read_at(handle, count, offset)

        return _examined(first, read, size_bytes, path)
    finally:
        os.close(handle)


def _examined(first: bytes, read: Callable[[int, int], bytes], size_bytes: int, path: bytes) -> Examined:
    content = sniff(first)
    if content.is_refusal:
        return Examined(format=content.value, damaged=f"it is {_NAMES[content]} instead of a model")
    named = path.lower().endswith(_HEADED)
    if content is Content.GGUF or (named and path.lower().endswith(b".gguf")):
        return _headed("gguf", parse_gguf, read, size_bytes)
    if content is Content.SAFETENSORS or named:
        return _headed("safetensors", parse_safetensors, read, size_bytes)
    if content is Content.ZIP_PICKLE:
        tail = read(max(0, size_bytes - _TAIL_BYTES), min(size_bytes, _TAIL_BYTES))
        cut = _END_OF_ZIP not in tail
        return Examined(format="pickle", damaged="the end of the archive is missing" if cut else None)
    return Examined(format="pickle" if content is Content.PICKLE else None)


_NAMES = {
    Content.HTML: "a web page",
    Content.XML: "an XML answer of a server",
    Content.LFS_POINTER: "a pointer of Git LFS",
}


def _headed(
    name: str,
    parse: Callable[[Callable[[int, int], bytes], int], ModelHeader],
    read: Callable[[int, int], bytes],
    size_bytes: int,
) -> Examined:
    try:
        header = parse(read, size_bytes)
        fits = header.fits(size_bytes)
        if fits is False:
            damaged = f"its header accounts for {header.expected_size_bytes} bytes, and it has {size_bytes}"
            return Examined(format=name, model=_model(header), damaged=damaged)
        model = classify(header)
    except HeaderError as err:
        return Examined(format=name, damaged=err.message)
    return Examined(format=name, model=model, verified=Verified.HEADER if fits else None)


def _model(header: ModelHeader) -> Classification | None:
    """Say what a cut file would be: one whose header names too little is cut there, too."""
    try:
        return classify(header)
    except HeaderError:
        return None


def columns_of(examined: Examined) -> dict[str, object]:
    """Return what the row of a file says of its content, as plain values (pure)."""
    model = examined.model if examined.model is not None else Classification()
    known = examined.model is not None
    return {
        "format": examined.format,
        "kind": model.kind.value if model.kind is not None else None,
        "belongs_in": model.folder,
        "alternatives": json.dumps(model.alternatives),
        "confidence": model.confidence.value if model.confidence is not None else None,
        "base_model": model.base_model,
        "base_model_version": model.base_model_version,
        "precision": model.precision,
        "parameters": model.parameters if known else None,
        "vram_bytes": model.vram_bytes,
        "trigger_words": json.dumps(model.trigger_words),
        "verified": examined.verified.value if examined.verified is not None else None,
        "damaged": examined.damaged,
    }


class Seen(NamedTuple):
    """What came of the look into a file: its columns, or why there are none; neither where it is gone."""

    columns: dict[str, object] | None = None
    unreadable: str | None = None


def look_into(path: bytes, size_bytes: int) -> Seen:
    """Examine a file; never raises."""
    try:
        return Seen(columns=columns_of(examine(path, size_bytes)))
    except FileNotFoundError:
        return Seen()
    except OSError as err:
        return Seen(unreadable=f"it cannot be read: {err.strerror or err}")
