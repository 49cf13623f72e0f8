"""What a start asks the installation. Little is imported here: the questions are asked before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...engine.installation import Installation, LayoutQuestion, interpreter_of
from ...records.model import FolderLayout
from .comfyui import HelpQuestion


class Questions:
    """What the installation is asked, its folders and its flags, while we do something else."""

    def __init__(self, comfyui: Path, environment: Mapping[str, str]) -> None:
        # Its own answer alone: what an earlier start of this pod added is about to be written anew.
        self._folders = LayoutQuestion(Installation(state_dir=comfyui, comfyui=comfyui))
        self._help = HelpQuestion(interpreter_of(comfyui), comfyui, environment)

    def folders(self) -> FolderLayout:
        """Return its folders. Raises: EngineError: it does not tell."""
        return self._folders.answer()

    def flags(self) -> frozenset[str] | None:
        """Return the flags that it takes."""
        return self._help.answer()
