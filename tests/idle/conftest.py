"""A provider's API, and the settings that make its clocks short."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.providers import FakeProviders, serve_providers


@pytest.fixture
def api() -> Iterator[FakeProviders]:
    """Serve both providers' APIs."""
    with serve_providers() as fake:
        yield fake
