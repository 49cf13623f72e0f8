"""What every provider can be asked, and the numbers that all go by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from ...config import Settings
from ...records.idle import Machine, StopResult

Still = Callable[[], Awaitable[bool]]


async def always() -> bool:
    """Go on whatever happens."""
    return True


class Provider(Protocol):
    """One machine at the one who rents it out."""

    name: str

    @property
    def id(self) -> str | None:
        """The machine's id, fit for a file's name; the same after a stop and a start."""

    @property
    def can_stop(self) -> bool:
        """False where no key or command is there to stop anything with."""

    async def describe(self) -> Machine:
        """Say what the machine is. Never raises: what could not be found out is None, and `note` says why."""

    async def stop(self, *, terminate: bool = False, still: Still = always) -> StopResult:
        """Stop the machine, by every way there is; never raises.

        `terminate` deletes it where the provider says that a volume survives, and stops it elsewhere. `still` is asked
        before every call, for tries and their pauses may take minutes: false gives up.
        """

    def plan(self, *, terminate: bool = False) -> list[str]:
        """Say what `stop` would do, in the order of its ways, without a secret."""

    async def close(self) -> None:
        """Close connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how long a provider is asked. Seconds."""

    tries: int = 4
    pause_seconds: float = 2.0
    most_pause_seconds: float = 300.0
    timeout_seconds: float = 20.0
    confirm_seconds: float = 30.0
    """Until a stop that was accepted must show in the machine's state."""

    @classmethod
    def of(cls, settings: Settings) -> Patience:
        """Take the numbers from the settings."""
        return cls(
            tries=max(1, settings.provider_tries),
            pause_seconds=settings.provider_pause_seconds,
            timeout_seconds=settings.provider_timeout_seconds,
            confirm_seconds=settings.provider_confirm_seconds,
        )
