"""Pages that are made from the code say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest
from comfystow.docs.generate.pages import PAGES

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `python -m comfystow.docs.generate`"


def test_readme_links_lead_somewhere() -> None:
    text = (DOCS.parent / "README.md").read_text()
    for part in text.split("](")[1:]:
        target = part.partition(")")[0]
        if not target.startswith("http"):
            assert (DOCS.parent / target).exists(), target
