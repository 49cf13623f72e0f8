"""A way out for the tests of the sources."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from hub.server import Hub
from support.wayout import WayOut, way_out


@pytest_asyncio.fixture
async def way(hub: Hub) -> AsyncIterator[WayOut]:
    """Give the way out to the hub."""
    async with way_out(hub) as opened:
        yield opened
