"""The command line on a bare tree of models and the local hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.engine.installation import find_installation
from hub.server import Hub
from support.comfyui import hub_environment
from support.engines import CHECKOUT, comfystow, end_engines


class Tree:
    """A bare tree of models, its state, and the command line that works on it."""

    def __init__(self, models: Path, environment: dict[str, str]) -> None:
        self.models = models
        self.environment = environment
        self.state_dir = find_installation(models_dir=models, environment=environment).state_dir

    def run(self, *words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command inside the tree, as a user would."""
        return comfystow(*words, cwd=self.models, env=self.environment, **options)

    def json(self, *words: str | Path, code: int = 0) -> Any:
        """Run a command and read its data."""
        done = self.run(*words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def start(self, *words: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, str(CHECKOUT), *map(str, words)],
            cwd=self.models,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )


def _make_tree(factory: pytest.TempPathFactory, hub: Hub) -> Tree:
    base = factory.mktemp("tree")
    for folder in ("loras", "vae", "checkpoints"):
        (base / "models" / folder).mkdir(parents=True)
    environment = {
        **hub_environment(hub),
        "XDG_STATE_HOME": str(base / "state"),
        "COMFYSTOW_RUN_DIR": str(factory.mktemp("r")),
        "COMFYSTOW_ENGINE_START_TIMEOUT_SECONDS": "60",
        "COMFYSTOW_ENGINE_IDLE_SECONDS": "60",
        "COMFYSTOW_RETRY_BASE_SECONDS": "0.05",
    }
    return Tree(base / "models", environment)


@pytest.fixture
def tree(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[Tree]:
    """Give a tree of the test's own, whose engine ends with it, and the hub without faults."""
    made = _make_tree(tmp_path_factory, hub)
    yield made
    end_engines(made.state_dir)


@pytest.fixture
def other_tree(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[Tree]:
    """Give a second machine: a tree with an engine of its own."""
    made = _make_tree(tmp_path_factory, hub)
    yield made
    end_engines(made.state_dir)


@pytest.fixture
def far() -> Iterator[Path]:
    """Give a folder on another file system than the trees: the machine's shared memory."""
    with tempfile.TemporaryDirectory(prefix="comfystow-far-", dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def shared_tree(tmp_path_factory: pytest.TempPathFactory, running_hub: Hub) -> Iterator[Tree]:
    """Give a tree that the tests of one file share."""
    made = _make_tree(tmp_path_factory, running_hub)
    yield made
    end_engines(made.state_dir)
