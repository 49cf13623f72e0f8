"""Services under a real supervisord, and a real pod."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from comfystow.core.pod.services.processes import marked
from support.pod_bench import Bench


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Give a folder whose path leaves room for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="pod-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def bench(short_folder: Path) -> AsyncIterator[Bench]:
    """Give what runs services; nothing of them may be left."""
    async with AsyncExitStack() as stack:
        made = Bench(short_folder, stack)
        yield made
    assert not marked(made.mark), "processes are left"
