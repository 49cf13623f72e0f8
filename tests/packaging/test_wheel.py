"""The wheel: what is in it, and the command that it brings."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest
from support.setup.environments import python_of
from support.setup.workshop import CHECKOUT

pytestmark = pytest.mark.timeout(300)

PARTS = ("core", "nodes", "server_routes", "web", "example_workflows")


def test_it_holds_the_package_and_nothing_else(wheel: Path, run) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    tracked = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=CHECKOUT).splitlines()
    shipped = [name for name in tracked if name.partition("/")[0] in PARTS and (CHECKOUT / name).exists()]
    wanted = {f"comfystow/{name}" for name in (*shipped, "__init__.py", "__main__.py", "py.typed")}
    assert held == wanted


def test_it_carries_licence_and_readme(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert any(name.endswith("/LICENSE") for name in names)
    assert "# ComfyStow" in metadata


@pytest.fixture(scope="module")
def installed(wheel: Path, run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, as a user does, into an environment that holds nothing else."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", folder)
    run(python_of(folder), "-m", "pip", "install", "--quiet", wheel)
    return folder


def test_the_command_and_the_module_show_the_same_help(installed: Path, run, tmp_path: Path) -> None:
    command = python_of(installed).with_name("comfystow.exe" if os.name == "nt" else "comfystow")
    by_name = run(command, "--help", cwd=tmp_path)
    by_module = run(python_of(installed), "-m", "comfystow", "--help", cwd=tmp_path)
    assert "get" in by_name
    assert by_name == by_module


def test_a_plain_folder_runs_as_a_command(installed: Path, upstream: Path, run, tmp_path: Path) -> None:
    """A clone has no command on the PATH: the folder itself is one, even beside an installed wheel."""
    odd = upstream.rename(tmp_path / "Comfy-Stow v1.2")
    init = odd / "__init__.py"
    init.write_text(init.read_text(encoding="utf-8").replace('__version__ = "', '__version__ = "9.'), encoding="utf-8")
    assert "9." in run(python_of(installed), odd, "--version", cwd=tmp_path)
    assert "9." not in run(python_of(installed), "-m", "comfystow", "--version", cwd=tmp_path)
