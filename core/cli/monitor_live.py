"""The live view of `comfystow monitor`; needs rich. It draws when a sample came, and not in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .machine import Line, lines_of

_STYLES = {"plain": "", "warn": "yellow", "bad": "red"}
_BAR_WIDTH = 30
_LABEL_WIDTH = 16
#: What the words need beside a bar; a terminal that has less room gets a shorter bar, or none.
_TEXT_WIDTH = 34


def draw(views: Iterator[dict[str, Any]]) -> None:
    """Draw each view in place of the one before, until Ctrl-C."""
    with Live(auto_refresh=False, screen=False) as live:
        for view in views:
            room = live.console.width - _LABEL_WIDTH - _TEXT_WIDTH
            live.update(_picture(lines_of(view), max(0, min(_BAR_WIDTH, room))), refresh=True)


def _picture(lines: list[Line], bar_width: int) -> RenderableType:
    parts: list[RenderableType] = []
    table = _table(bar_width)
    for line in lines:
        if line.label:
            table.add_row(Text(line.label), _bar(line, bar_width), Text(line.text, style=_STYLES[line.tone]))
        else:
            parts += [table, Text(line.text, style=f"bold {_STYLES[line.tone]}".strip())]
            table = _table(bar_width)
    return Group(*parts, table)


def _table(bar_width: int) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=_LABEL_WIDTH, no_wrap=True)
    table.add_column(width=bar_width)
    table.add_column()
    return table


def _bar(line: Line, width: int) -> RenderableType:
    if line.ratio is None or not width:
        return Text("")
    style = _STYLES[line.tone] or "cyan"
    return ProgressBar(total=1.0, completed=line.ratio, width=width, complete_style=style, finished_style=style)
