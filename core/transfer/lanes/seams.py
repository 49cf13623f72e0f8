"""Where one range continues another: compared at once, or, where a digest will tell, looked at when that is wrong.

A server that answers with bytes from elsewhere shows at a seam. Without a digest every continuation asks for the last
4 KiB before it again. With one, and a tag that each range is asked for under (If-Range), those bytes are not fetched
twice; should the digest then be wrong, the bytes around the seams are fetched once more, and one that differs says that
the ranges were, and not the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import StowError
from ..connections.head import Meaning, judge
from ..connections.origin import Origin
from ..part.hashing import WHOLE_FILE_ALGORITHMS, digest_matches
from .lane import OVERLAP_BYTES

if TYPE_CHECKING:
    from .state import State

_MOST_LOOKED_AT = 128


def overlap_bytes(state: State) -> int:
    """Return how much a continuation asks for again."""
    digest = state.part.file.digest
    proven_later = digest is not None and digest.algorithm in WHOLE_FILE_ALGORITHMS
    return 0 if proven_later and state.part.etag is not None else OVERLAP_BYTES


def are_suspect(state: State, digests: dict[str, str]) -> bool:
    """Tell whether wrong ranges could be why the digest is wrong."""
    digest = state.part.file.digest
    return bool(state.seams) and digest is not None and digest_matches(digest.algorithm, digest.hex, digests) is False


async def seams_hold(state: State, origin: Origin) -> bool:
    """Look at the seams again; False when the server has other bytes there. One that does not answer says nothing."""
    positions = sorted(state.seams)
    step = max(1, len(positions) // _MOST_LOOKED_AT)
    size = state.plan.size_bytes or 0
    for position in positions[::step]:
        start, stop = max(0, position - OVERLAP_BYTES), min(size, position + OVERLAP_BYTES)
        try:
            again = await _ask_again(state, origin, start, stop)
        except StowError:
            continue
        if again is not None and state.part.read(start, stop - start) != again:
            return False
    return True


async def _ask_again(state: State, origin: Origin, start: int, stop: int) -> bytes | None:
    etag = state.part.etag
    reply = await origin.ask(start=start, stop=stop, etag=etag)
    try:
        verdict = judge(
            reply.head, start=start, stop=stop, size_bytes=state.plan.size_bytes, etag=etag, conditional=True
        )
        if verdict.meaning is not Meaning.RANGE or verdict.stop != stop:
            return None
        got = bytearray()

        def take(view: memoryview) -> float:
            got.extend(view)
            return 0.0

        await reply.body(stop - start, take)
        return bytes(got)
    finally:
        await reply.close()
