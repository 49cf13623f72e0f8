"""A Docker engine and builds of the image that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.docker_engine import DockerEngine, NoEngineError, debian_base
from support.git_origin import git_origin
from support.image_build import Build, Context
from support.setup import pins
from support.setup.say import SetupError
from support.setup.workshop import ComfyInstall, Workshop

TAG = "comfystow-pod:test"
_why_not: list[str] = []


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it where nobody can miss it."""
    for reason in dict.fromkeys(_why_not):
        terminalreporter.section("THE IMAGE WAS NOT BUILT", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"No Docker engine runs on this machine: {reason}.")


@pytest.fixture(scope="session")
def docker_engine(workshop: Workshop) -> Iterator[DockerEngine]:
    """Give an engine with a base image; without one its tests are left out, loudly."""
    engine = DockerEngine(workshop.cache.root)
    try:
        base = debian_base(workshop.cache)
        engine.start().import_base(base)
        yield engine
    except NoEngineError as err:
        _why_not.append(str(err))
        pytest.skip(f"no Docker engine: {err}")
    finally:
        engine.close()


@pytest.fixture(scope="session")
def compose(workshop: Workshop) -> Path:
    """Give Docker Compose; without it its tests are left out, with the reason."""
    try:
        return workshop.compose()
    except SetupError as err:
        pytest.skip(f"no Docker Compose: {str(err).splitlines()[0]}")


@pytest.fixture(scope="session")
def comfyui_origin(comfyui_home: ComfyInstall, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve ComfyUI's files by git, with the tag that the Dockerfile names."""
    with git_origin(comfyui_home.root, pins.COMFYUI_TAG, tmp_path_factory.mktemp("origin")) as url:
        yield url


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Give the folder that all builds are made from."""
    return Context(tmp_path_factory.mktemp("context"))


@pytest.fixture(scope="session")
def arguments(comfyui_origin: str) -> dict[str, str]:
    """Give the arguments of a build without torch, which no index has for the processor alone in less than 3 GB."""
    return {"TORCH_SPEC": "none", "COMFYUI_REPOSITORY": comfyui_origin}


@pytest.fixture(scope="session")
def cold_build(docker_engine: DockerEngine, context: Context, arguments: dict[str, str]) -> Build:
    """Build the image once, with every cache empty."""
    return context.build(docker_engine, TAG, arguments)


@pytest.fixture(scope="session")
def image(cold_build: Build) -> str:
    """Give the tag of the image."""
    return TAG


@pytest.fixture(scope="session")
def torch_mount(comfyui_home: ComfyInstall, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the options that put this machine's own torch under the packages of the image, read-only."""
    packages = next(comfyui_home.bare_python.parent.parent.glob("lib/python3*/site-packages"))
    python = packages.parent.name
    line = tmp_path_factory.mktemp("torch") / "torch.pth"
    stand_ins = "/opt/torch-cpu/sitecustomize.py"
    line.write_text(f"/opt/torch-cpu\nimport sys; exec(open('{stand_ins}').read(), {{'__name__': 'stand_ins'}})\n")
    mounts = [f"{packages}:/opt/torch-cpu:ro", f"{line}:/opt/venv/lib/{python}/site-packages/torch-cpu.pth:ro"]
    return [word for mount in mounts for word in ("--volume", mount)]
