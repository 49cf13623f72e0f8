"""Folders that changes are made in."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.grounds import Grounds


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on another file system than `tmp_path`: the machine's shared memory."""
    folder = Path(tempfile.mkdtemp(prefix="comfystow-far-", dir="/dev/shm"))
    assert folder.stat().st_dev != tmp_path.stat().st_dev
    yield folder
    os.chmod(folder, 0o700)
    shutil.rmtree(folder)


@pytest.fixture
def grounds(tmp_path: Path, far: Path) -> Grounds:
    """Give empty folders."""
    return Grounds(tmp_path, far)
