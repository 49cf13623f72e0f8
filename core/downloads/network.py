"""What downloads reach the world with: one set for all callers whose settings are the same."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

#: A set of earlier settings stays open so long for requests that began with it; a download keeps its own.
_KEPT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Gate, client, sources and transfers of one set of settings. Nothing is opened before its first use."""

    settings: Settings
    gate: EgressGate
    client: HttpClient
    sources: Sources
    transfers: TransferEngine

    @classmethod
    def build(cls, settings: Settings, proxies: Proxies) -> Network:
        """Make a set. Raises: ConfigError."""
        gate = EgressGate(
            AllowList.build(settings),
            proxies=proxies,
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
        await asyncio.to_thread(self.transfers.close)
        await self.client.close()


class Networks:
    """The engine's own set, and one more for each ComfyUI that was started with other settings."""

    def __init__(self, settings: Settings, state_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self._environment = dict(os.environ if environment is None else environment)
        self._proxies = Proxies.from_environment(self._environment)
        self.own = Network.build(settings, self._proxies)
        self._others: dict[tuple[Settings, Proxies], Network] = {}
        self._retired: list[tuple[float, Network]] = []
        self._uses: Counter[int] = Counter()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def settings(self) -> Settings:
        """The engine's settings."""
        return self._settings

    def change(self, settings: Settings) -> None:
        """Take other settings; what runs goes on with what it began with. Raises: ConfigError."""
        own = Network.build(settings, self._proxies)
        now = time.monotonic()
        self._retired += [(now, network) for network in (self.own, *self._others.values())]
        self._settings, self.own, self._others = settings, own, {}
        self._close_unused(now)
        for _, network in self._retired:
            network.transfers.set_rate(settings.limit_rate_bytes_per_second)

    def _close_unused(self, now: float) -> None:
        """Close what no download runs with any more: each has threads of its own."""
        kept = [row for row in self._retired if self._uses[id(row[1])] or now - row[0] < _KEPT_SECONDS]
        for _, network in self._retired:
            if all(network is not other for _, other in kept):
                task = asyncio.get_running_loop().create_task(network.close(), name="close-network")
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
        self._retired = kept

    def set_job_rate(self, dest: Path, rate_bytes_per_second: int | None) -> None:
        """Change the bandwidth of what runs for a destination, whatever set it began with."""
        for network in self._all():
            network.transfers.set_job_rate(dest, rate_bytes_per_second)

    def _all(self) -> list[Network]:
        return [self.own, *self._others.values(), *(network for _, network in self._retired)]

    def of(self, session: Session | None) -> Network:
        """Return the set of a caller. Raises: ConfigError: its environment cannot be used."""
        if session is None:
            return self.own
        proxies = Proxies.from_environment({**self._environment, **session.environment})
        key = self.settings_of(session), proxies
        if key == (self._settings, self._proxies):
            return self.own
        if key not in self._others:
            self._others[key] = Network.build(*key)
        return self._others[key]

    @contextmanager
    def used(self, session: Session | None) -> Iterator[Network]:
        """Give the set of a caller, which stays open for as long as the context lasts. Raises: ConfigError."""
        network = self.of(session)
        self._uses[id(network)] += 1
        try:
            yield network
        finally:
            self._uses[id(network)] -= 1

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
        await asyncio.gather(*self._closing)
