"""The locked requirements of the image: they are what the project and ComfyUI ask for, each with its digests."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.setup import pins
from support.setup.workshop import CHECKOUT, ComfyInstall

FOLDER = CHECKOUT / "docker" / "requirements"
TORCH_LOCKS = ("torch/cu130.txt", "torch/cu128.txt")
LOCKS = ("uv.txt", *TORCH_LOCKS, "comfyui.txt", "pod.txt")
TORCH = {"torch", "torchvision", "torchaudio"}
EXTRAS = ("cli", "monitor", "library", "store", "proxy", "pod")


def pins_of(name: str) -> dict[str, set[str]]:
    """Map each package of a lock to its versions: one for each Python."""
    found: dict[str, set[str]] = {}
    for package, version, rest in re.findall(r"(?m)^([\w.-]+)==([^\s;]+)(.*)", (FOLDER / name).read_text()):
        if "== 'none'" in rest:  # the override that keeps torch out; no system is called so
            continue
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def wishes_of(lines: list[str]) -> list[Requirement]:
    return [Requirement(line) for line in (raw.partition("#")[0].strip() for raw in lines) if line]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_a_digest(name: str) -> None:
    entries = re.split(r"(?m)^(?=[\w.-]+==)", (FOLDER / name).read_text())[1:]
    assert entries
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", ["uv", "torch/cu130", "torch/cu128", "comfyui"])
def test_a_lock_holds_what_its_list_asks_for(name: str) -> None:
    locked = pins_of(f"{name}.txt")
    for wish in wishes_of((FOLDER / f"{name}.in").read_text().splitlines()):
        versions = locked[canonicalize_name(wish.name)]
        assert all(wish.specifier.contains(version) for version in versions), (str(wish), versions)


def test_the_pods_lock_holds_what_the_project_declares() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    locked = pins_of("pod.txt")
    for wish in wishes_of([*project["dependencies"], *(line for name in EXTRAS for line in extras[name])]):
        versions = locked.get(canonicalize_name(wish.name), set())
        assert versions, f"{wish}: run docker/requirements/refresh"
        assert all(wish.specifier.contains(version) for version in versions), (str(wish), versions)


def test_comfyuis_list_is_what_the_pinned_comfyui_asks_for(comfyui_home: ComfyInstall) -> None:
    asked = wishes_of((comfyui_home.root / "requirements.txt").read_text().splitlines())
    listed = wishes_of((FOLDER / "comfyui.in").read_text().splitlines())
    assert {str(wish) for wish in asked if wish.name not in TORCH} == {str(wish) for wish in listed}
    assert f"ARG COMFYUI_REF={pins.COMFYUI_TAG}\n" in (CHECKOUT / "docker" / "Dockerfile").read_text()


@pytest.mark.parametrize("torch", TORCH_LOCKS)
def test_what_is_in_two_locks_has_one_version(torch: str) -> None:
    """A later layer would lay the package a second time."""
    below: dict[str, set[str]] = {}
    for name in (torch, "comfyui.txt", "pod.txt"):
        for package, versions in pins_of(name).items():
            assert versions <= below.setdefault(package, versions), (name, package)


def test_no_lock_but_torchs_own_brings_cuda() -> None:
    for name in TORCH_LOCKS:
        assert {package for package in pins_of(name) if package.startswith("nvidia-cu")}
    for name in ("comfyui.txt", "pod.txt"):
        # NVML's Python half, which talks to the driver of the host.
        assert {package for package in pins_of(name) if package.startswith("nvidia-")} <= {"nvidia-ml-py"}
