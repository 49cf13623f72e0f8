"""A way out for the tests of the sources, and stores."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from comfystow.core.sources.objects import Bucket, open_bucket
from hub.server import Hub
from support.azurite import azurite, create_container
from support.moto import empty_bucket, s3_server
from support.wayout import WayOut, way_out


@pytest_asyncio.fixture
async def way(hub: Hub) -> AsyncIterator[WayOut]:
    """Give the way out to the hub."""
    async with way_out(hub) as opened:
        yield opened


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give the environment of a running S3 server."""
    with s3_server(tmp_path_factory.mktemp("moto")) as environment:
        yield environment


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give the environment of a running Azure storage server."""
    with azurite(tmp_path_factory.mktemp("azurite")) as environment:
        yield environment


@pytest.fixture(params=["s3", "file", pytest.param("az", marks=pytest.mark.long)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """Give the URL of an empty store, and the environment that opens it."""
    if request.param == "file":
        return f"file://{tmp_path / 'store'}", {}
    if request.param == "az":
        environment = request.getfixturevalue("azure")
        create_container(environment, name := f"container-{time.monotonic_ns()}")
        return f"az://{name}/models", environment
    return empty_bucket(request.getfixturevalue("s3"))


@pytest.fixture
def bucket(place: tuple[str, dict[str, str]]) -> Bucket:
    return open_bucket(*place, timeout_seconds=10)
