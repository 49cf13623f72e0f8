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


@pytest.fixture
def run_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a run directory that every process of the test uses."""
    path = tmp_path_factory.mktemp("r")
    monkeypatch.setenv("COMFYSTOW_RUN_DIR", str(path))
    monkeypatch.setenv("COMFYSTOW_ENGINE_START_TIMEOUT_SECONDS", "60")
    # The discard port: what is asked for there is taken into the queue, and gets no further.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("COMFYSTOW_ALLOW_HOSTS", "127.0.0.1:9")
    return path


@pytest.fixture
def state_dir(tmp_path: Path, run_dir: Path) -> Iterator[Path]:
    """Give a state folder; its engine ends with the test."""
    path = tmp_path / "state"
    path.mkdir()
    (tmp_path / "models").mkdir()
    # As if a ComfyUI with these folders had been attached before.
    last = LastLayout(saved_at=0.0, layout=bare_layout(tmp_path / "models"))
    (path / "layout.json").write_text(json.dumps(to_json(last)))
    yield path
    end_engines(path)


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
