"""One real ComfyUI for the route tests of a file, with short clocks, reachable from other addresses too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hub.server import Hub
from support.comfyui import ComfyServer, hub_environment
from support.setup.workshop import ComfyInstall

QUICK = {
    "COMFYSTOW_PROGRESS_SECONDS": "0.1",
    "COMFYSTOW_WAITING_CHECK_SECONDS": "0.1",
    "COMFYSTOW_RETRY_BASE_SECONDS": "0.02",
    "COMFYSTOW_RETRY_LIMIT": "2",
}


@pytest.fixture(scope="module")
def server(
    comfyui_home: ComfyInstall, running_hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyServer]:
    """Give the server."""
    base = tmp_path_factory.mktemp("comfyui")
    environment = {**hub_environment(running_hub), **QUICK}
    with ComfyServer(comfyui_home, base, listen="0.0.0.0", env=environment) as started:
        yield started
