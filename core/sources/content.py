"""What the first bytes of an answer are, when they are no model."""

from __future__ import annotations

import re

_HTML = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|title)\b", re.IGNORECASE | re.DOTALL
)
_XML = re.compile(rb"\s*<(?:\?xml|Error>|ListBucketResult|soap)", re.IGNORECASE)
_JSON = re.compile(rb'\s*\{\s*"(?:error|message|errors|detail|statusCode|success)"\s*:')


def not_a_model(first_bytes: bytes, content_type: str) -> str | None:
    """Return `html`, `xml`, `json` or `lfs_pointer` for what stands in a model's place, None for anything else.

    The bytes decide, not the header: servers label models as text, and pages as octet-stream.
    """
    start = first_bytes.removeprefix(b"\xef\xbb\xbf")
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return "lfs_pointer"
    if _HTML.match(start):
        return "html"
    if _XML.match(start):
        return "xml"
    if _JSON.match(start) and "json" in content_type.lower():
        return "json"
    return None
