"""Beside the shared `hub`: a state folder for hubs that a test starts itself, and a file to fetch."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub.server import Hub
from support.raw_http import CONTENT


@pytest.fixture(scope="session")
def hub_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a state folder, filled by the first hub that uses it."""
    return tmp_path_factory.mktemp("own-hub-state")


@pytest.fixture
def url(hub: Hub) -> str:
    """Give the address of a file on the CDN."""
    return str(hub.add_direct("weights.bin", data=CONTENT)["url"])
