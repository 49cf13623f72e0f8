"""The command `comfystow`: one thin file a command, imported when that command runs."""

from __future__ import annotations

from .main import main

__all__ = ["main"]
