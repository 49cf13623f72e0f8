"""What shows that somebody uses the machine: one small reader a sign of life.

A reader remembers what it saw, so that work that began and ended between two looks shows as well; no clock of
another program is ever compared with ours. `None` means that there is nothing of the kind here.
"""

from __future__ import annotations

from .reader import Reader, Surroundings
from .table import NAMES, make_readers

__all__ = ["NAMES", "Reader", "Surroundings", "make_readers"]
