"""`python install.py test`: set everything up, then run all tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ..azurite import azurite_program
from ..docker_engine import NoEngineError, debian_base
from . import pins
from .say import step
from .workshop import ComfyInstall, Workshop


def run_suite(workshop: Workshop, pytest_arguments: Sequence[str]) -> int:
    """Run pytest over the checkout; give its exit code."""
    with step("the whole set-up"):
        install = set_up(workshop)
    root = workshop.cache.root
    env = {
        **os.environ,
        "COMFYSTOW_CACHE_DIR": str(root),
        "COMFYUI_PATH": str(install.root),
        # Nothing of a run stays in the checkout.
        "MYPY_CACHE_DIR": str(root / "mypy"),
        "RUFF_CACHE_DIR": str(root / "ruff"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(root / "hypothesis"),
    }
    command = [install.python, "-m", "pytest", "-o", f"cache_dir={root / 'pytest'}", *pytest_arguments]
    return subprocess.run([str(word) for word in command], cwd=workshop.checkout, env=env, check=False).returncode


def set_up(workshop: Workshop) -> ComfyInstall:
    """Make all that tests need; what does not depend on each other at the same time."""

    def pages() -> None:
        for name in pins.FRONTENDS:
            workshop.frontend(name)

    def programs() -> None:
        workshop.programs()
        workshop.node_tools()
        azurite_program(workshop.cache)
        # What keeps an engine from running keeps no other test from it; those of the image say it.
        with contextlib.suppress(NoEngineError):
            debian_base(workshop.cache)

    jobs: list[Callable[[], object]] = [workshop.for_tests, pages, programs]
    with ThreadPoolExecutor(len(jobs)) as pool:
        running = [pool.submit(job) for job in jobs]
        for one in running:
            one.result()
    return workshop.for_tests()
