"""A hub for all tests of this folder; each test starts from a fresh catalogue without faults."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hub.server import Hub


@pytest.fixture(scope="session")
def hub_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub-state")


@pytest.fixture(scope="session")
def running_hub(hub_state: Path) -> Iterator[Hub]:
    with Hub(hub_state) as hub:
        yield hub


@pytest.fixture
def hub(running_hub: Hub) -> Hub:
    running_hub.reset()
    return running_hub
