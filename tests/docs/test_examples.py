"""Every command line that README and docs show is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from comfystow.core.cli.main import COMMANDS, parser_for

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "docker" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(comfystow [^`\n]+)`")
#: Placeholders, and usage that argparse itself wrote.
_NO_EXAMPLE = re.compile(r"…|\.\.\.|\[|COMMAND|TOOL|\||^comfystow ([a-z]+:|[-(])")


def _examples(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    lines = [line.strip() for block in _BLOCK.findall(text) for line in block.splitlines()]
    shown = [line for line in lines if line.startswith("comfystow ")] + _INLINE.findall(text)
    parts = [part.strip() for line in shown for part in line.partition(" #")[0].split("&&")]
    return [part for part in parts if part.startswith("comfystow ") and not _NO_EXAMPLE.search(part)]


EXAMPLES = sorted({(page.name, example) for page in PAGES for example in _examples(page)})


@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_a_shown_command_line_is_taken(page: str, example: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, *words = shlex.split(example)[1:]
    assert name in COMMANDS, f"{page} shows `{example}`"
    if not words:  # the name of a command in the running text
        return
    code: object = 0
    try:
        parser_for(name).parse_args(words)
    except SystemExit as ended:
        code = ended.code
    problem = capsys.readouterr().err
    # In the running text a command may be named with one option alone.
    assert code == 0 or "are required" in problem, f"{page} shows `{example}`: {problem}"


def test_examples_are_found() -> None:
    assert len(EXAMPLES) > 30
