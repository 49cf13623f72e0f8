"""What a pod asks its engine for, and how far it is: over a real engine and the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.config import load_settings
from comfystow.core.engine.client import EngineClient
from comfystow.core.pod.start.provision import Provisioning
from comfystow.core.pod.start.wanted import Wish, Wishes
from hub.server import Hub
from support.comfyui import hub_environment
from support.engines import end_engines, engine_environment, make_state

MANIFEST = """version: 1
models:
  - {source: hf://Comfy-Stow/taesd-demo/taesd.safetensors, folder: vae, before: true}
  - {source: hf://Comfy-Stow/lora-demo/stow_style.safetensors, folder: loras, before: true}
"""


class LateClient(EngineClient):
    """Hears nothing of what happens before all is over; then the list is all that there is."""

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield one event, too late."""
        while any(row["state"] != "completed" for row in (await self.call("GET", "/downloads"))["downloads"]):
            await asyncio.sleep(0.02)
        yield {"topic": "notice", "data": {"kind": "lost"}}
        await asyncio.Event().wait()


@pytest.fixture
async def late_client(
    hub: Hub, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LateClient]:
    """Give a client of an engine that remembers one finished download."""
    environment = {**engine_environment(tmp_path_factory.mktemp("r")), **hub_environment(hub)}
    for name, value in {**environment, "COMFYSTOW_HISTORY_LIMIT": "1"}.items():
        monkeypatch.setenv(name, value)
    state = make_state(tmp_path)
    client = LateClient(state, load_settings())
    yield client
    await client.close()
    end_engines(state)


async def test_what_ended_unheard_and_left_the_list_is_not_waited_for(
    late_client: LateClient, hub: Hub, tmp_path: Path
) -> None:
    hub.fault("delay", origin="cdn", file="*", seconds=1)  # all is asked for before anything is forgotten
    wishes = Wishes(all=(Wish(name="models.yaml", body={"manifest": MANIFEST}, before=True),))
    provisioning = Provisioning(wishes, lambda: None)
    run = asyncio.create_task(provisioning.run(late_client))
    async with asyncio.timeout(60):
        await provisioning.first_there.wait()
    run.cancel()
    assert provisioning.finished
    assert provisioning.counts == (1, 1)  # of the other nobody can say how it ended
    assert provisioning.problems == []
    names = {path.name for path in (tmp_path / "models").rglob("*.safetensors")}
    assert names == {"taesd.safetensors", "stow_style.safetensors"}
