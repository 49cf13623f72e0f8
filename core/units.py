"""Bytes, rates and durations as people read and write them.

Sizes are decimal (1 GB = 10^9 bytes), as the hubs and the disk vendors state them; input takes both `20M` and `20MiB`.
"""

from __future__ import annotations

import re

from .errors import ConfigError

MIB = 1 << 20

_FACTORS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?(?:/s)?\s*", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Turn `20M`, `1.5 GiB` or `1000` into bytes.

    Raises: ConfigError: the text is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ConfigError(f"`{text}` is not a size", hint="write it like 20M, 1.5G or 512MiB")
    return int(float(match[1]) * _FACTORS[(match[2] or "").lower()])


def format_bytes(size_bytes: int | None) -> str:
    """Write a size with three significant digits: `17.2 GB`; unknown is `n/a`."""
    if size_bytes is None:
        return "n/a"
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.95 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} TB"


def format_rate(rate_bytes_per_second: float | None) -> str:
    """Write a rate: `121 MB/s`; unknown is `n/a`."""
    return "n/a" if rate_bytes_per_second is None else f"{format_bytes(round(rate_bytes_per_second))}/s"


def format_duration(seconds: float | None) -> str:
    """Write a duration in its two largest units: `1 min 52 s`; unknown is `n/a`."""
    if seconds is None:
        return "n/a"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {secs} s" if minutes else f"{secs} s"
