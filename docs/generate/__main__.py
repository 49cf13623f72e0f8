"""`python -m comfystow.docs.generate`: write the generated pages."""

from __future__ import annotations

from pathlib import Path

from .pages import PAGES

for name, make in PAGES.items():
    page = Path(__file__).parents[1] / name
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(make(), encoding="utf-8")
