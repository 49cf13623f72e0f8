"""Fixtures of the transfer tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from comfystow.core.transfer.engine import TransferEngine
from support.transfers import open_engine


@pytest.fixture
def engine() -> Iterator[TransferEngine]:
    """Give an engine with short clocks."""
    with open_engine() as opened:
        yield opened
