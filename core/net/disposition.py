"""The file name that an answer suggests: Content-Disposition (RFC 6266), made safe, else the URL's last part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from ..errors import InvalidNameError
from ..paths import PathComponent, safe_component

_EXTENDED = re.compile(r"(?i)(?:^|;)\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^;\s]+)")
_PLAIN = re.compile(r'(?i)(?:^|;)\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]+))')
_MAX_HEADER_LENGTH = 4096


def suggested_name(headers: Mapping[str, str], url: str) -> PathComponent | None:
    """Return a safe file name for what the answer holds, or None when neither header nor URL gives one.

    Folders in front of the name are dropped, as RFC 6266 §4.3 asks; a name that is unsafe even then is not mended.
    """
    header = headers.get("Content-Disposition", "")[:_MAX_HEADER_LENGTH]
    for text in (*_names(header), unquote(urlsplit(url).path)):
        try:
            return safe_component(re.split(r"[/\\]", text)[-1].strip())
        except InvalidNameError:
            continue
    return None


def _names(header: str) -> list[str]:
    names: list[str] = []
    if match := _EXTENDED.search(header):
        names.append(unquote(match[2].strip('"'), encoding=match[1].lower(), errors="replace"))
    if match := _PLAIN.search(header):
        # Quoted pairs are undone; servers put raw UTF-8 there, which HTTP libraries read as Latin-1 or surrogates.
        text = re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2].strip()
        names.append(_as_utf8(text))
    return names


def _as_utf8(text: str) -> str:
    for encoding in ("latin-1", "utf-8"):
        try:
            return text.encode(encoding, "surrogateescape").decode("utf-8")
        except UnicodeError:
            continue
    return text
