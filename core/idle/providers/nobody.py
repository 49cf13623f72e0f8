"""A machine that nobody is known to rent out: there is nothing to stop it with."""

from __future__ import annotations

from ...records.idle import Machine, StopResult
from .provider import Still, always

_HINT = "set COMFYSTOW_IDLE_STOP_COMMAND to what stops this machine"


class Nobody:
    """Says so."""

    name = "none"
    id = None
    can_stop = False

    def __init__(self, note: str | None = None) -> None:
        self._note = note

    async def describe(self) -> Machine:
        """Return what is known: nothing."""
        return Machine(provider=self.name, note=self._note)

    async def stop(self, *, terminate: bool = False, still: Still = always) -> StopResult:  # noqa: ARG002 - nothing is tried
        """Refuse."""
        words = self._note or "no provider of this machine is known"
        return StopResult(done=False, action="terminate" if terminate else "stop", words=words, hint=_HINT)

    def plan(self, *, terminate: bool = False) -> list[str]:  # noqa: ARG002 - either way nothing
        """Say that nothing would be done."""
        return []

    async def close(self) -> None:
        """Have nothing to close."""
