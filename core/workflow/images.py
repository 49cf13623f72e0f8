"""Workflows inside images: PNG text chunks and the EXIF of WebP, read without decoding a pixel.

ComfyUI writes `workflow` and `prompt` as PNG text (0.3.75, nodes.py, SaveImage), and for WebP as EXIF strings
`workflow:{…}` and `prompt:{…}` in the tags Make and Model (comfy_extras/nodes_images.py, SaveAnimatedWEBP).
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from ..errors import WorkflowError

#: Of one text; the largest template is below 1 MB.
MAX_TEXT_BYTES = 32 << 20
_MAX_CHUNKS = 100_000
_MAX_EXIF_ENTRIES = 1_000
_PNG = b"\x89PNG\r\n\x1a\n"
_KEYS = ("workflow", "prompt")


def is_image(head: bytes) -> bool:
    """Tell by the first 12 bytes whether this is a PNG or a WebP."""
    return head.startswith(_PNG) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def embedded_texts(file: BinaryIO, size_bytes: int) -> dict[str, str]:
    """Return the `workflow` and `prompt` that an image carries.

    A chunk that is longer than the file or than our limit is an error; other chunks are stepped over unread.

    Raises: WorkflowError: damaged, or a text beyond the limit.
    """
    head = file.read(12)
    if head.startswith(_PNG):
        return _png_texts(file, size_bytes)
    return _webp_texts(file, size_bytes)


def _png_texts(file: BinaryIO, size_bytes: int) -> dict[str, str]:
    found: dict[str, str] = {}
    position = len(_PNG)
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8 or header[4:] == b"IEND":
            break
        length, kind = struct.unpack(">I4s", header)
        if position + 12 + length > size_bytes:
            raise _damaged(f"its chunk `{kind.decode('latin-1')}` is longer than the file")
        if kind in {b"tEXt", b"zTXt", b"iTXt"}:
            _check_length(length)
            key, text = _png_text(kind, file.read(length))
            if key in _KEYS:
                found.setdefault(key, text)
        position += 12 + length
    return found


def _png_text(kind: bytes, body: bytes) -> tuple[str, str]:
    """Split a text chunk (PNG specification, section 11.3.3)."""
    keyword, _, rest = body.partition(b"\0")
    key = keyword.decode("latin-1")
    if key not in _KEYS:
        return key, ""
    if kind == b"tEXt":
        return key, _decode(rest)
    if kind == b"zTXt":
        return key, _decode(_inflate(rest[1:]))
    compressed = rest[:1] == b"\x01"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, rest = rest.partition(b"\0")
    return key, _decode(_inflate(rest) if compressed else rest)


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, MAX_TEXT_BYTES)
    except zlib.error as error:
        raise _damaged(f"a compressed text cannot be read ({error})") from None
    if inflater.unconsumed_tail:
        _check_length(MAX_TEXT_BYTES + 1)
    return text


def _webp_texts(file: BinaryIO, size_bytes: int) -> dict[str, str]:
    position = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            break
        kind, length = struct.unpack("<4sI", header)
        if position + 8 + length > size_bytes:
            raise _damaged(f"its chunk `{kind.decode('latin-1')}` is longer than the file")
        if kind == b"EXIF":
            _check_length(length)
            return _exif_texts(file.read(length))
        position += 8 + length + (length & 1)
    return {}


def _exif_texts(exif: bytes) -> dict[str, str]:
    """Read the strings of the first image directory (TIFF 6.0, section 2)."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return {}
    start = struct.unpack_from(f"{order}I", exif, 4)[0]
    if start + 2 > len(exif):
        raise _damaged("its EXIF directory lies outside of it")
    count = min(struct.unpack_from(f"{order}H", exif, start)[0], _MAX_EXIF_ENTRIES)
    found: dict[str, str] = {}
    for entry in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        _tag, kind, length, offset = struct.unpack_from(f"{order}HHII", exif, entry)
        if kind != 2 or length <= 4 or offset + length > len(exif):
            continue
        text = exif[offset : offset + length].rstrip(b"\0")
        key, _, body = text.partition(b":")
        name = key.decode("latin-1").lower()
        if name in _KEYS:
            found.setdefault(name, _decode(body))
    return found


def _decode(data: bytes) -> str:
    """Decode as UTF-8; Latin-1, which PNG prescribes for plain texts, where it is none."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _check_length(length: int) -> None:
    if length > MAX_TEXT_BYTES:
        raise WorkflowError(
            f"a text in the image is longer than {MAX_TEXT_BYTES >> 20} MiB", hint="no workflow is that large"
        )


def _damaged(reason: str) -> WorkflowError:
    return WorkflowError(f"the image is damaged: {reason}", hint="save it again from ComfyUI, or give its workflow")
