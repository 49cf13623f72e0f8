"""What a file is, judged by its first bytes alone: web pages and pointers come where models were asked for."""

from __future__ import annotations

import re
import struct
from enum import StrEnum

from .model_header import MAX_HEADER_BYTES

#: As many bytes as `sniff` looks at.
SNIFF_BYTES = 512

_HTML = re.compile(rb"(?is)\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|title)\b")
_XML = re.compile(rb"(?s)\s*(?:<\?xml\s|<Error>)")
_LFS = b"version https://git-lfs.github.com/spec/"
_PICKLE_PROTOCOLS = frozenset(b"\x02\x03\x04\x05")


class Content(StrEnum):
    """The kinds that the first bytes tell apart."""

    HTML = "html"
    XML = "xml"
    LFS_POINTER = "lfs_pointer"
    ZIP_PICKLE = "zip_pickle"
    PICKLE = "pickle"
    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    UNKNOWN = "unknown"

    @property
    def is_refusal(self) -> bool:
        """True for what servers send instead of a model."""
        return self in {Content.HTML, Content.XML, Content.LFS_POINTER}


def sniff(first_bytes: bytes) -> Content:
    """Judge the first bytes of a file (`SNIFF_BYTES` suffice)."""
    data = first_bytes[:SNIFF_BYTES]
    bare = data.removeprefix(b"\xef\xbb\xbf")
    if bare.startswith(_LFS):
        return Content.LFS_POINTER
    if data.startswith(b"GGUF"):
        return Content.GGUF
    if data.startswith(b"PK\x03\x04"):
        return Content.ZIP_PICKLE
    if _HTML.match(bare):
        return Content.HTML
    if _XML.match(bare):
        return Content.XML
    if len(data) >= 9 and data[8:9] == b"{" and 2 <= struct.unpack("<Q", data[:8])[0] <= MAX_HEADER_BYTES:
        return Content.SAFETENSORS
    if len(data) >= 2 and data[0] == 0x80 and data[1] in _PICKLE_PROTOCOLS:
        return Content.PICKLE
    return Content.UNKNOWN
