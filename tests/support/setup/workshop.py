"""All parts of the set-up behind one object: each is made when it is first asked for, and kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import environments, machine
from .cache import Cache
from .comfyui_tree import find_comfyui
from .frontend import Frontend, frontend

CHECKOUT = Path(__file__).absolute().parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComfyInstall:
    """A ComfyUI and the interpreters that can run it."""

    root: Path
    bare_python: Path  # ComfyUI's own requirements and nothing else
    python: Path  # with the project's requirements too


class Workshop:
    """Makes what demo and tests run on."""

    def __init__(self, *, comfyui: Path | None = None, checkout: Path = CHECKOUT, cache: Cache | None = None) -> None:
        self.cache = cache or Cache()
        self.checkout = checkout
        self._named = comfyui

    def for_tests(self) -> ComfyInstall:
        """Give ComfyUI with all the extras and the tools of the tests."""
        return self._install("tests", ["monitor", "cli", "dev"])

    def for_demo(self) -> ComfyInstall:
        """Give ComfyUI with all that a user can switch on."""
        return self._install("demo", ["monitor", "cli"])

    def import_folder(self) -> Path:
        """Give the folder from which `import comfystow` finds the checkout."""
        return environments.import_folder(self.cache, self.checkout)

    def frontend(self, name: str) -> Frontend:
        """Give the pages of a version."""
        return frontend(self.cache, name)

    def programs(self) -> None:
        """See that the browser and node are there."""
        machine.ensure_programs(self.cache)
        machine.ensure_engine(self.cache)

    def compose(self) -> Path:
        """Give Docker Compose. Raises: SetupError."""
        return machine.compose(self.cache)

    def node_tools(self) -> Path:
        """Give the folder of the JavaScript tools' commands."""
        return machine.node_tools(self.cache, self.checkout)

    def _install(self, name: str, extras: list[str]) -> ComfyInstall:
        root = find_comfyui(self.cache, self.checkout, self._named)
        base = environments.comfyui_environment(self.cache, root)
        requirements = environments.project_requirements(self.checkout, extras)
        over = environments.overlay(self.cache, name, base, self.checkout, requirements)
        return ComfyInstall(root=root, bare_python=environments.python_of(base), python=environments.python_of(over))
