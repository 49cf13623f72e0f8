"""ComfyStow: brings models into a ComfyUI installation, proves that they are whole, and stows them."""

from __future__ import annotations

__version__ = "0.1.0"
