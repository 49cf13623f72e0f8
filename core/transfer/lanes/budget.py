"""How many connections each transfer may have: the limits a host and in all, shared fairly."""

from __future__ import annotations

from .adapt import fair_shares


class Budget:
    """Knows what every transfer wants, and shares out anew whenever that changes."""

    def __init__(self, *, total: int, per_host: int) -> None:
        self._total, self._per_host = total, per_host
        self._wants: dict[int, tuple[str, int]] = {}
        self._shares: dict[int, int] = {}

    def share(self, who: object, host: str, wanted: int) -> int:
        """Say what `who` wants from a host, and return what it gets."""
        if self._wants.get(id(who)) != (host, wanted):
            self._wants[id(who)] = (host, wanted)
            self._share_out()
        return self._shares[id(who)]

    def leave(self, who: object) -> None:
        """Forget a transfer that has ended."""
        if self._wants.pop(id(who), None) is not None:
            self._share_out()

    def _share_out(self) -> None:
        wants = [(key, host, wanted) for key, (host, wanted) in self._wants.items()]
        self._shares = fair_shares(wants, total=self._total, per_host=self._per_host)
