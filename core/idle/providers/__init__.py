"""Who rents the machine out, and how it is stopped there: one file a provider."""

from __future__ import annotations

from .detect import detect
from .provider import Provider

__all__ = ["Provider", "detect"]
