"""Builds of the project's Dockerfile out of a copy of the checkout, and what BuildKit tells of them."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .docker_engine import BASE_IMAGE, DockerEngine, without_syntax
from .setup.workshop import CHECKOUT

_STEP = re.compile(r"^#(\d+) \[(?!internal)(?:(\S+) +)?\d+/\d+\] (.*)$", re.MULTILINE)
_CACHED = re.compile(r"^#(\d+) CACHED$", re.MULTILINE)
_DONE = re.compile(r"^#(\d+) DONE ([0-9.]+)s$", re.MULTILINE)
_PARTS = ("__init__.py", "__main__.py", "py.typed", "LICENSE", ".dockerignore", "core", "nodes", "server_routes", "web")
_ALSO = ("example_workflows", "docker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One build: its wall time, and its steps as `stage instruction` with seconds; None where the cache had it."""

    seconds: float
    steps: dict[str, float | None]
    output: str

    @property
    def run(self) -> list[str]:
        """List the steps that were carried out."""
        return [name for name, seconds in self.steps.items() if seconds is not None]

    @property
    def cached(self) -> list[str]:
        """List the steps that the cache had."""
        return [name for name, seconds in self.steps.items() if seconds is None]


class Context:
    """A copy of what a build may read; edits of it are no edits of the checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (*_PARTS, *_ALSO):
            source, target = CHECKOUT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        self.dockerfile = folder / "docker" / "Dockerfile"
        self.edit("docker/Dockerfile", without_syntax)

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Replace a file's text by `change(text)`."""
        path = self.folder / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    def build(
        self, engine: DockerEngine, tag: str, arguments: Mapping[str, str], *more: str, check: bool = True
    ) -> Build:
        """Build the image; fails with BuildKit's output."""
        words = ["build", "--network", "host", "--progress=plain", "--file", str(self.dockerfile), "--tag", tag]
        for name, value in {"BASE_IMAGE": BASE_IMAGE, **arguments}.items():
            words += ["--build-arg", f"{name}={value}"]
        began = time.monotonic()
        done = engine.docker(*words, *more, self.folder, check=check)
        seconds = time.monotonic() - began
        output = done.stdout + done.stderr
        return Build(seconds=seconds, steps=_steps(output), output=output)


def _steps(output: str) -> dict[str, float | None]:
    cached = set(_CACHED.findall(output))
    done = {number: float(seconds) for number, seconds in _DONE.findall(output)}
    steps: dict[str, float | None] = {}
    for number, stage, instruction in _STEP.findall(output):
        if instruction.startswith("FROM "):
            continue
        steps[f"{stage} {instruction}"] = None if number in cached else done.get(number, 0.0)
    return steps
