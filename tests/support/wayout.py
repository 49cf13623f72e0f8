"""The way out as the engine has it, pointed at a hub: settings, gate, client, sources, tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from comfystow.core.config import Settings, load_settings
from comfystow.core.net.client import HttpClient, HttpLimits
from comfystow.core.net.credentials import Credentials
from comfystow.core.net.egress import EgressGate
from comfystow.core.net.hosts import AllowList
from comfystow.core.sources.resolve import Sources
from hub.server import Hub


@dataclass(frozen=True)
class WayOut:
    """What a test asks with. `nobody` has no token, `member` has the hub's good ones."""

    settings: Settings
    client: HttpClient
    sources: Sources
    nobody: Credentials
    member: Credentials

    def tokens(self, **environment: str) -> Credentials:
        """Give the credentials of a session with that environment."""
        return self.nobody.with_environment(environment)


def place(url: str) -> str:
    """Give host:port of a URL."""
    return url.split("//")[1].split("/")[0]


@asynccontextmanager
async def way_out(hub: Hub, *, allow: tuple[str, ...] = (), **overrides: Any) -> AsyncIterator[WayOut]:
    """Open a way out that may reach the hub's three origins and `allow`, with short time-outs."""
    values = {"connect_timeout_seconds": 2.0, "response_timeout_seconds": 5.0, "stall_timeout_seconds": 2.0} | overrides
    values.setdefault("hf_endpoint", hub.hf_url)
    values.setdefault("civitai_endpoint", hub.civitai_url)
    settings = load_settings({}, allow_hosts=(place(hub.cdn_url), *allow), **values)
    client = HttpClient(HttpLimits.of(settings), EgressGate(AllowList.build(settings)))
    nobody = Credentials(settings=settings, environment={})
    member = nobody.with_environment({"HF_TOKEN": hub.hf_token, "CIVITAI_TOKEN": hub.civitai_token})
    try:
        yield WayOut(settings, client, Sources(client, settings), nobody, member)
    finally:
        await client.close()
