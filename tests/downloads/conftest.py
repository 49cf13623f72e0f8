"""Fixtures of the queue's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub.server import Hub
from support.queues import Stage


@pytest.fixture
def stage(hub: Hub, tmp_path: Path) -> Stage:
    """Give folders and queues over them."""
    return Stage(hub, tmp_path)
