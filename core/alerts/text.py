"""The catalogue's sentences, filled in: the few forms of Prometheus' templates that it uses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..units import format_duration

_FIELD = re.compile(r"\{\{\s*\$(?:labels\.(?P<label>\w+)|value)(?:\s*\|\s*(?P<form>\w+))?\s*\}\}")


def render(template: str, labels: Mapping[str, str], value: float) -> str:
    """Fill in `{{ $labels.x }}` and `{{ $value | form }}`."""

    def fill(match: re.Match[str]) -> str:
        if match["label"] is not None:
            return labels.get(match["label"], "")
        return _format(value, match["form"])

    return _FIELD.sub(fill, template)


def _format(value: float, form: str | None) -> str:
    match form:
        case "humanizePercentage":
            return f"{value * 100:.4g}%"
        case "humanizeDuration":
            return format_duration(value)
        case _:
            return f"{value:g}"
