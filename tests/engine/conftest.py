"""A state folder and a run directory of each test's own, and no engine left behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from comfystow.core.config import Settings, load_settings
from comfystow.core.engine.installation import bare_layout
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.records.json import to_json
from comfystow.core.sessions import LastLayout
from support.engines import end_engines


def _environment(run_dir: Path) -> dict[str, str]:
    return {
        "COMFYSTOW_RUN_DIR": str(run_dir),
        "COMFYSTOW_ENGINE_START_TIMEOUT_SECONDS": "60",
        # The discard port: what is asked for there is taken into the queue, and gets no further.
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "COMFYSTOW_ALLOW_HOSTS": "127.0.0.1:9",
    }


def _make_state(base: Path) -> Path:
    """Make a state folder as if a ComfyUI with its models in `base/models` had been attached before."""
    state, models = base / "state", base / "models"
    state.mkdir()
    models.mkdir()
    last = LastLayout(saved_at=0.0, layout=bare_layout(models))
    (state / "layout.json").write_text(json.dumps(to_json(last)))
    return state


@pytest.fixture
def run_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a run directory that every process of the test uses."""
    path = tmp_path_factory.mktemp("r")
    for name, value in _environment(path).items():
        monkeypatch.setenv(name, value)
    return path


@pytest.fixture
def state_dir(tmp_path: Path, run_dir: Path) -> Iterator[Path]:
    """Give a state folder; its engine ends with the test."""
    path = _make_state(tmp_path)
    yield path
    end_engines(path)


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncEngineClient]:
    """Give a client of an engine that the tests of one file share, with an empty queue that stays empty."""
    base = tmp_path_factory.mktemp("shared")
    state = _make_state(base)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _environment(tmp_path_factory.mktemp("r")).items():
            patch.setenv(name, value)
        patch.setenv("COMFYSTOW_ENGINE_IDLE_SECONDS", "60")
        with SyncEngineClient(state, load_settings()) as client:
            client.call("GET", "/engine")
            yield client
    end_engines(state)


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
