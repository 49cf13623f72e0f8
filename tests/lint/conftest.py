"""Run the checkers as a developer does, and show what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.setup.workshop import CHECKOUT, Workshop

Check = Callable[..., None]


@pytest.fixture
def check() -> Check:
    """Run a command in the checkout; fail with its output when it fails."""

    def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=CHECKOUT,
            env={**os.environ, "NO_COLOR": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{Path(str(command[0])).name} found:\n{done.stdout}"

    return run


@pytest.fixture
def check_python(check: Check, workshop: Workshop) -> Check:
    """Run a Python tool of the environment of the tests, with `comfystow` importable."""
    folder = str(workshop.import_folder())

    def run(tool: str, *arguments: str) -> None:
        program = Path(sys.executable).with_name(tool)
        paths = os.pathsep.join([folder, str(CHECKOUT / "tests")])
        check(program, *arguments, env={"MYPYPATH": paths, "PYTHONPATH": folder})

    return run


@pytest.fixture
def check_js(check: Check, workshop: Workshop) -> Check:
    """Run a JavaScript tool of `package.json`."""
    commands = workshop.node_tools()

    def run(tool: str, *arguments: str) -> None:
        check(commands / tool, *arguments)

    return run
