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


def draw(views: Iterator[dict[str, Any]]) -> None:
    """Draw each view in place of the one before, until Ctrl-C."""
    with Live(auto_refresh=False, screen=False) as live:
        for view in views:
            live.update(_picture(lines_of(view)), refresh=True)


def _picture(lines: list[Line]) -> RenderableType:
    parts: list[RenderableType] = []
    table = _table()
    for line in lines:
        if line.label:
            table.add_row(Text(line.label), _bar(line), Text(line.text, style=_STYLES[line.tone]))
        else:
            parts += [table, Text(line.text, style=f"bold {_STYLES[line.tone]}".strip())]
            table = _table()
    return Group(*parts, table)


def _table() -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=16, no_wrap=True)
    table.add_column(width=_BAR_WIDTH)
    table.add_column()
    return table


def _bar(line: Line) -> RenderableType:
    if line.ratio is None:
        return Text("")
    style = _STYLES[line.tone] or "cyan"
    return ProgressBar(total=1.0, completed=line.ratio, width=_BAR_WIDTH, complete_style=style, finished_style=style)
