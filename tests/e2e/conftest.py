"""What the browser tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.setup.workshop import Workshop

if TYPE_CHECKING:
    from e2e.fake_page import FakeComfy


@pytest.fixture
def fake() -> Iterator[FakeComfy]:
    """Give a stand-in for ComfyUI."""
    from e2e.fake_page import fake_comfy

    with fake_comfy() as started:
        yield started


@pytest.fixture(scope="session")
def axe(workshop: Workshop) -> str:
    """Give the accessibility checker, to be run inside a page."""
    return (workshop.node_tools().parent / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
