"""What the JavaScript checkers say, and the tests of the panel's stores."""

from __future__ import annotations

import pytest
from support.setup.workshop import CHECKOUT

pytestmark = pytest.mark.timeout(180)

WEB = CHECKOUT / "web"


def test_the_types_of_the_panel_hold(check_js) -> None:
    check_js("tsc", "--project", "tsconfig.json")


def test_the_panel_is_formatted_and_linted(check_js) -> None:
    check_js("biome", "ci", "--colors=off", "web", "tests/web")


def test_the_panel_s_own_tests_pass(check) -> None:
    files = sorted((CHECKOUT / "tests" / "web").glob("**/*.test.mjs"))
    assert files, "no test of the panel was found"
    check("node", "--test", *files)


def test_comfyui_loads_one_file_of_ours_by_itself() -> None:
    """ComfyUI imports every `.js` of the folder into the page, wherever it lies."""
    assert [path.relative_to(WEB).as_posix() for path in WEB.rglob("*.js")] == ["comfystow.js"]


def test_one_file_knows_comfyui_s_scripts() -> None:
    knowing = [path.name for path in sorted(WEB.rglob("*.[mj]*")) if "/scripts/" in path.read_text(encoding="utf-8")]
    assert knowing == ["comfy.mjs"]


@pytest.mark.parametrize("word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("])
def test_no_text_becomes_markup_or_code(word: str) -> None:
    assert [path.name for path in WEB.rglob("*.*js") if word in path.read_text(encoding="utf-8")] == []
