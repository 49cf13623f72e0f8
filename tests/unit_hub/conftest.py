"""Beside the shared `hub`: a state folder for hubs that a test starts itself."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def hub_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a state folder, filled by the first hub that uses it."""
    return tmp_path_factory.mktemp("own-hub-state")
