"""Wrong secrets: each peer has a few tries, then waits, longer each time. Kept in memory; a restart forgives.

Everybody behind one proxy is one peer here, so the longest wait is short: it makes guessing hopeless (with the secret
that we make it is so anyway), and locks nobody out for long.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from ..core.errors import TooManyTriesError

FREE_TRIES = 5
LONGEST_SECONDS = 60.0
_PEERS = 1024
_FORGOTTEN_SECONDS = 600.0


@dataclass(slots=True)
class _Peer:
    wrong: int = 0
    until: float = 0.0
    last: float = 0.0


class Attempts:
    """Counts wrong secrets by peer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._peers: OrderedDict[str, _Peer] = OrderedDict()

    def check(self, peer: str | None) -> None:
        """Let a peer try. Raises: TooManyTriesError: it has to wait first, whatever it sends."""
        known = self._peers.get(_key(peer))
        left = known.until - self._clock() if known is not None else 0.0
        if left > 0:
            raise TooManyTriesError(
                "too many wrong access secrets from there",
                hint=f"wait {math.ceil(left)} s; `comfystow auth secret` on the server shows the secret",
                retry_after_seconds=left,
            )

    def wrong(self, peer: str | None) -> None:
        """Note a wrong secret."""
        now, key = self._clock(), _key(peer)
        known = self._peers.pop(key, None)
        if known is None or now - known.last > _FORGOTTEN_SECONDS:
            known = _Peer()
        known.wrong, known.last = known.wrong + 1, now
        if known.wrong >= FREE_TRIES:
            known.until = now + min(LONGEST_SECONDS, 2.0 ** min(known.wrong - FREE_TRIES, 16))
        self._peers[key] = known
        while len(self._peers) > _PEERS:
            self._peers.popitem(last=False)

    def right(self, peer: str | None) -> None:
        """Forget what a peer did before it knew the secret."""
        self._peers.pop(_key(peer), None)


def _key(peer: str | None) -> str:
    """Take the network of an IPv6 address: whoever has one has 2^64 of them."""
    try:
        address = ip_address((peer or "").partition("%")[0])
    except ValueError:
        return peer or ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> 64)
    return str(address)
