"""A state folder and a run directory of each test's own, and no engine left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from comfystow.core.config import Settings, load_settings
from comfystow.core.engine.sync_client import SyncEngineClient
from support.engines import end_engines, engine_environment, make_state, served


@pytest.fixture
def run_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a run directory that every process of the test uses."""
    path = tmp_path_factory.mktemp("r")
    for name, value in engine_environment(path).items():
        monkeypatch.setenv(name, value)
    return path


@pytest.fixture
def state_dir(tmp_path: Path, run_dir: Path) -> Iterator[Path]:
    """Give a state folder; its engine ends with the test."""
    path = make_state(tmp_path)
    yield path
    end_engines(path)


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncEngineClient]:
    """Give a client of an engine that the tests of one file share, with an empty queue that stays empty."""
    with served(tmp_path_factory.mktemp("shared"), tmp_path_factory.mktemp("r")) as client:
        yield client


@pytest.fixture
def settings(run_dir: Path) -> Settings:
    """Give the settings that every process of the test has."""
    return load_settings()


@pytest.fixture
def open_client(state_dir: Path, settings: Settings) -> Iterator[Callable[..., SyncEngineClient]]:
    """Open clients; all are closed with the test."""
    clients: list[SyncEngineClient] = []

    def open_one(**options: bool) -> SyncEngineClient:
        clients.append(SyncEngineClient(state_dir, settings, **options))
        return clients[-1]

    yield open_one
    for client in clients:
        client.close()
