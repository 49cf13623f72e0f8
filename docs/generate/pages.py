"""The pages made from the code."""

from __future__ import annotations

import dataclasses
import typing
from functools import partial
from pathlib import Path

from comfystow.core.config import ENV_PREFIX, Settings
from comfystow.core.config.variables import ALIASES
from comfystow.core.metrics.files import monitoring_files
from comfystow.core.records.alert_catalogue import ALERTS
from comfystow.core.records.catalogue import METRICS
from comfystow.core.units import format_bytes

from .cli_page import cli_page
from .http_page import http_page


def config_page() -> str:
    """Give docs/config.md."""
    rows = []
    for item in dataclasses.fields(Settings):
        variable = ENV_PREFIX + item.name.upper()
        if item.name in ALIASES:
            variable += f"`, `{ALIASES[item.name]}"
        panel = "yes" if item.metadata["remote"] else "no"
        default = _default(item)
        rows.append(f"| `{item.name}` | `{variable}` | {default} | {panel} | {item.metadata['doc']} |")
    return "\n".join([_CONFIG_HEAD, *rows, ""])


def _default(item: dataclasses.Field[typing.Any]) -> str:
    value = item.default
    if value is None or value == ():
        return "unset"
    if item.name.endswith("_bytes"):
        return format_bytes(typing.cast("int", value))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


_CONFIG_HEAD = """\
# Settings

What a command's option says beats the environment, the environment beats `settings.json` in the state folder, and that
beats the default. Settings of the last column but one can be changed while ComfyUI runs (`PUT /settings`; the everyday
ones in the panel: *Downloads*, *Limits…*); the others decide who may do what, and are the owner's alone. Sizes are
written `20M`, `1.5G` or `512MiB`; lists are separated by commas.

| setting | environment | default | panel | what it does |
| --- | --- | --- | --- | --- |"""


def metrics_page() -> str:
    """Give docs/metrics.md."""
    lines = [_METRICS_HEAD]
    lines += [
        f"| `{metric.exposed_name}` | {metric.type.value} | {', '.join(metric.labels) or '-'} | {metric.help} |"
        for metric in METRICS
    ]
    lines.append(_ALERTS_HEAD)
    lines += [
        f"| `ComfyStow{alert.name}` | {alert.severity.value} | `{alert.query.replace('|', chr(92) + '|')}` "
        f"| {alert.for_seconds} s | {alert.action} |"
        for alert in ALERTS
    ]
    return "\n".join([*lines, ""])


_METRICS_HEAD = """\
# Metrics and alerts

Made from the catalogue in `core/records/catalogue.py`. What is unknown is not exposed; it is never 0.

| metric | type | labels | meaning |
| --- | --- | --- | --- |"""
_ALERTS_HEAD = """
| alert | severity | condition | for | what to do |
| --- | --- | --- | --- | --- |"""

PAGES = {"cli.md": cli_page, "config.md": config_page, "http.md": http_page, "metrics.md": metrics_page}
PAGES |= {f"../docker/monitoring/{name}": partial(monitoring_files().__getitem__, name) for name in monitoring_files()}
# ComfyUI's page asks for a node's help in its own language, then for the file without one (1.32.9, 1.58.1,
# nodeHelpService): without this copy whoever reads another language than English would read nothing.
_HELP = Path(__file__).parents[2] / "web" / "docs"
PAGES |= {f"../web/docs/{page.parent.name}.md": partial(page.read_text, "utf-8") for page in _HELP.glob("*/en.md")}
