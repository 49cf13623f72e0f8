"""What downloads reach the world with: one set for all callers whose settings are the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ..config import FOREIGN_VARIABLES, Settings, load_settings
from ..net.client import HttpClient, HttpLimits
from ..net.credentials import Credentials
from ..net.egress import EgressGate
from ..net.hosts import AllowList
from ..net.proxies import Proxies
from ..records.session import Session
from ..sources.resolve import Sources
from ..transfer.engine import TransferEngine
from ..transfer.job import TransferLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Gate, client, sources and transfers of one set of settings. Nothing is opened before its first use."""

    settings: Settings
    gate: EgressGate
    client: HttpClient
    sources: Sources
    transfers: TransferEngine

    @classmethod
    def build(cls, settings: Settings, environment: Mapping[str, str]) -> Network:
        """Make a set. Raises: ConfigError."""
        gate = EgressGate(
            AllowList.build(settings),
            proxies=Proxies.from_environment(environment),
            timeout_seconds=settings.connect_timeout_seconds,
        )
        client = HttpClient(HttpLimits.of(settings), gate)
        return cls(
            settings=settings,
            gate=gate,
            client=client,
            sources=Sources(client, settings),
            transfers=TransferEngine(TransferLimits.of(settings), client, gate),
        )

    async def close(self) -> None:
        """Stop the transfers' thread and close connections."""
        import asyncio

        await asyncio.to_thread(self.transfers.close)
        await self.client.close()


class Networks:
    """The engine's own set, and one more for each ComfyUI that was started with other settings."""

    def __init__(self, settings: Settings, state_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self._environment = dict(os.environ if environment is None else environment)
        self.own = Network.build(settings, self._environment)
        self._others: dict[Settings, Network] = {}
        self._retired: list[Network] = []

    @property
    def settings(self) -> Settings:
        """The engine's settings."""
        return self._settings

    def change(self, settings: Settings) -> None:
        """Take other settings; what runs goes on with what it began with. Raises: ConfigError."""
        own = Network.build(settings, self._environment)
        self._retired = self._all()
        self._settings, self.own, self._others = settings, own, {}
        for network in self._retired:
            network.transfers.set_rate(settings.limit_rate_bytes_per_second)

    def set_job_rate(self, dest: Path, rate_bytes_per_second: int | None) -> None:
        """Change the bandwidth of what runs for a destination, whatever set it began with."""
        for network in self._all():
            network.transfers.set_job_rate(dest, rate_bytes_per_second)

    def _all(self) -> list[Network]:
        return [self.own, *self._others.values(), *self._retired]

    def of(self, session: Session | None) -> Network:
        """Return the set of a caller. Raises: ConfigError: its environment cannot be used."""
        settings = self.settings_of(session)
        if session is None or settings == self._settings:
            return self.own
        if settings not in self._others:
            self._others[settings] = Network.build(settings, {**self._environment, **session.environment})
        return self._others[settings]

    def settings_of(self, session: Session | None) -> Settings:
        """Return the engine's settings with what the caller's environment sets over them. Raises: ConfigError."""
        if session is None or not session.environment:
            return self._settings
        default, told = Settings(), load_settings(session.environment)
        changed = {
            item.name: getattr(told, item.name)
            for item in fields(Settings)
            if getattr(told, item.name) != getattr(default, item.name)
        }
        return replace(self._settings, **changed)

    def credentials(self, session: Session | None) -> Credentials:
        """Return the tokens of a caller: its environment's over those of the state folder."""
        environment = self._environment if session is None or not session.environment else session.environment
        relevant = {name: environment[name] for name in FOREIGN_VARIABLES if name in environment}
        return Credentials.load(self.settings_of(session), state_dir=self._state_dir, environment=relevant)

    async def close(self) -> None:
        """Close all sets."""
        for network in self._all():
            await network.close()
