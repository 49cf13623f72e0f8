"""Wrong secrets: each peer has a few tries, then waits, longer each time. Kept in memory; a restart forgives.

Behind a proxy everybody has the proxy's address, so what it says of its caller tells them apart: somebody who guesses
makes himself wait, and not the owner. Because a caller can write such headers himself, all behind one address share a
number of tries too; it fills again so soon, and the longest wait is so short, that nobody is locked out for long, and
guessing stays hopeless (with the secret that we make it is so anyway).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from ..core.errors import TooManyTriesError

FREE_TRIES = 5
LONGEST_SECONDS = 60.0
#: What all callers of one proxy have together, and how long until one try is there again.
SHARED_TRIES = 20
SHARED_SECONDS = 10.0
_PEERS = 1024
_FORGOTTEN_SECONDS = 600.0
_ALL = "all"


@dataclass(slots=True)
class _Peer:
    wrong: int = 0
    until: float = 0.0
    last: float = 0.0
    owed_seconds: float = 0.0


class Attempts:
    """Counts wrong secrets by peer; `caller` is what a proxy says of who asks, empty where none passed it on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._peers: OrderedDict[str, _Peer] = OrderedDict()

    def check(self, peer: str | None, caller: str = "") -> None:
        """Let a peer try. Raises: TooManyTriesError: it has to wait first, whatever it sends."""
        known = self._peers.get(_key(peer, caller))
        shared = self._peers.get(_key(peer, _ALL)) if caller else None
        left = max((entry.until - self._clock() for entry in (known, shared) if entry is not None), default=0.0)
        if left > 0:
            raise TooManyTriesError(
                "too many wrong access secrets from there",
                hint=f"wait {math.ceil(left)} s; `comfystow auth secret` on the server shows the secret",
                retry_after_seconds=left,
            )

    def wrong(self, peer: str | None, caller: str = "") -> None:
        """Note a wrong secret."""
        now, known = self._clock(), self._taken(_key(peer, caller))
        known.wrong, known.last = known.wrong + 1, now
        if known.wrong >= FREE_TRIES:
            known.until = now + min(LONGEST_SECONDS, 2.0 ** min(known.wrong - FREE_TRIES, 16))
        if caller:
            shared = self._taken(_key(peer, _ALL))
            # Seconds of tries that were taken and are not there again yet.
            owed = max(0.0, shared.owed_seconds - (now - shared.last)) + SHARED_SECONDS
            shared.owed_seconds, shared.last = owed, now
            shared.until = now + max(0.0, owed - (SHARED_TRIES - 1) * SHARED_SECONDS)

    def right(self, peer: str | None, caller: str = "") -> None:
        """Forget what a peer did before it knew the secret."""
        self._peers.pop(_key(peer, caller), None)

    def _taken(self, key: str) -> _Peer:
        """Return what is known of a peer, as the one that tried last."""
        known = self._peers.pop(key, None)
        if known is None or self._clock() - known.last > _FORGOTTEN_SECONDS:
            known = _Peer()
        self._peers[key] = known
        while len(self._peers) > _PEERS:
            self._peers.popitem(last=False)
        return known


def _key(peer: str | None, caller: str = "") -> str:
    """Take the network of an IPv6 address: whoever has one has 2^64 of them."""
    return f"{_address(peer)} {caller if caller == _ALL else hashlib.sha256(caller.encode()).hexdigest()[:32]}"


def _address(peer: str | None) -> str:
    try:
        address = ip_address((peer or "").partition("%")[0])
    except ValueError:
        return peer or ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> 64)
    return str(address)
