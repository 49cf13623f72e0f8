"""The owner's own command, for every provider that is not known here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from ...config import Settings
from ...errors import ConfigError
from ...records.idle import Machine, StopResult
from .api import Told
from .program import run_program
from .provider import Patience, Provider, Still, always
from .ways import Ways


class Command:
    """Runs `idle_stop_command`, without a shell; its exit code 0 is believed.

    It finds the wish in COMFYSTOW_IDLE_ACTION: `stop` or `terminate`. What the machine is, the provider beneath tells.
    """

    name = "command"
    can_stop = True

    def __init__(self, beneath: Provider, environment: Mapping[str, str], settings: Settings) -> None:
        """Raises: ConfigError: the command cannot be read."""
        try:
            self._words = shlex.split(settings.idle_stop_command or "")
        except ValueError as err:
            raise ConfigError(f"`idle_stop_command` cannot be read: {err}", hint="quote it as for a shell") from err
        if not self._words:
            raise ConfigError("`idle_stop_command` is empty", hint="write a program and its arguments")
        self._beneath = beneath
        self._environment = environment
        self._patience = Patience.of(settings)

    @property
    def id(self) -> str | None:
        """Ask the provider beneath."""
        return self._beneath.id

    async def describe(self) -> Machine:
        """Ask the provider beneath."""
        return await self._beneath.describe()

    async def stop(self, *, terminate: bool = False, still: Still = always) -> StopResult:
        """Run it until it succeeds."""
        action = "terminate" if terminate else "stop"

        async def send() -> Told:
            environment = {**self._environment, "COMFYSTOW_IDLE_ACTION": action}
            return await run_program(self._words, environment, timeout_seconds=self._patience.timeout_seconds)

        async def unknown() -> Machine:
            return Machine(provider=self.name)

        ways = Ways(patience=self._patience, look=unknown, still=still)
        done = await ways.by("command", send)
        last = ways.last_words
        return StopResult(
            done=done,
            action=action,
            words=f"`{self._words[0]}` was run" if done else f"`idle_stop_command` failed: {last}",
            attempts=tuple(ways.attempts),
            abandoned=ways.abandoned,
            hint=None if done else "run it by hand to see why",
        )

    def plan(self, *, terminate: bool = False) -> list[str]:
        """Say what would be run."""
        return [f"COMFYSTOW_IDLE_ACTION={'terminate' if terminate else 'stop'} {shlex.join(self._words)}"]

    async def close(self) -> None:
        """Close what lies beneath."""
        await self._beneath.close()
