"""Shelves of the library's tests, and an engine over one that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.core.config import load_settings
from comfystow.core.engine.sync_client import SyncEngineClient
from support.engines import end_engines, engine_environment, make_state
from support.shelves import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """Give folders and an index; nothing counts as being written."""
    made = Shelf(tmp_path)
    yield made
    made.index.close()


@pytest.fixture(scope="module")
def shared_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the models folder of `shared_client`."""
    return tmp_path_factory.mktemp("shared") / "models"


@pytest.fixture(scope="module")
def shared_client(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncEngineClient]:
    """Give a client of an engine over `shared_models`."""
    state = make_state(shared_models.parent)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in engine_environment(tmp_path_factory.mktemp("r")).items():
            patch.setenv(name, value)
        patch.setenv("COMFYSTOW_ENGINE_IDLE_SECONDS", "60")
        with SyncEngineClient(state, load_settings()) as client:
            client.call("GET", "/engine")
            yield client
    end_engines(state)
