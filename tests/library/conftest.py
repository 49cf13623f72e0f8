"""Shelves of the library's tests, and an engine over one that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.core.engine.sync_client import SyncEngineClient
from support.engines import served
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
    with served(shared_models.parent, tmp_path_factory.mktemp("r")) as client:
        yield client
