"""Several places have a file of one name: their digests tell whether it is one file, and then nobody need choose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from ...errors import StowError
from ...net.credentials import Credentials
from ...records.workflow import Candidate, Confidence
from ...sources.resolve import Sources

#: Places that are asked for their digest, one small request each.
_MOST_ASKED = 6


async def settled(
    candidates: Sequence[Candidate], sources: Sources, credentials: Credentials | None
) -> tuple[Candidate, ...]:
    """Return candidates with the sizes and digests that `likely` ones have at their sources.

    Where all of several listed places hold the same bytes, the first is `high`: the name is one file. Where one refuses
    or differs, all stay `likely`, with what tells them apart.
    """
    likely = [row for row in candidates if row.confidence is Confidence.LIKELY]
    if len(likely) < 2 or any(row.confidence.sure for row in candidates):
        return tuple(candidates)
    asked = await asyncio.gather(*(_completed(row, sources, credentials) for row in likely[:_MOST_ASKED]))
    digests = {row.sha256 for row in asked}
    rows = {row.source: row for row in asked}
    if len(asked) == len(likely) and len(digests) == 1 and None not in digests:
        best = asked[0]
        reason = f"{best.reason}; all {len(asked)} places of the name hold the same bytes"
        rows[best.source] = replace(best, confidence=Confidence.HIGH, reason=reason)
    order = list(Confidence)
    found = [rows.get(row.source, row) for row in candidates]
    return tuple(sorted(found, key=lambda row: order.index(row.confidence)))


async def _completed(row: Candidate, sources: Sources, credentials: Credentials | None) -> Candidate:
    if row.sha256 is not None and row.size_bytes is not None:
        return row
    try:
        file = await sources.resolve(sources.parse(row.url or row.source), credentials)
    except StowError:
        return row
    sha256 = file.digest.hex if file.digest is not None and file.digest.algorithm == "sha256" else None
    return replace(row, sha256=row.sha256 or sha256, size_bytes=row.size_bytes or file.size_bytes)
