"""`python -m comfystow.docs.generate`: write the generated pages."""

from __future__ import annotations

from pathlib import Path

from .pages import PAGES

for name, make in PAGES.items():
    (Path(__file__).parents[1] / name).write_text(make(), encoding="utf-8")
