"""The Grafana dashboard, made from the catalogue: a row of panels for each part, placed on Grafana's 24 columns.

The JSON follows Grafana's dashboard model (grafana.com/docs: "JSON model"); the data source is a variable, so
that provisioning and importing by hand both work.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from .panels import ROWS, Panel

_COLUMNS = 24
_SOURCE = {"type": "prometheus", "uid": "${source}"}


def dashboard() -> str:
    """Give the dashboard as JSON."""
    model = {
        "uid": "comfystow",
        "title": "ComfyStow",
        "tags": ["comfyui", "comfystow"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source_variable()]},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_placed()),
    }
    return json.dumps(model, indent=2) + "\n"


def _source_variable() -> dict[str, Any]:
    return {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}


def _placed() -> Iterator[dict[str, Any]]:
    """Put the rows below one another, and their panels from left to right."""
    ids, top = count(1), 0
    for row in ROWS:
        yield {
            "id": next(ids),
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": top},
            "panels": [],
        }
        top += 1
        left = line = 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left, line = top + line, 0, 0
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            yield _panel(panel, next(ids), place)
            left, line = left + panel.width, max(line, panel.height)
        top += line


def _panel(panel: Panel, identity: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.most is not None:
        defaults["max"] = panel.most
    if panel.kind == "gauge":
        defaults["thresholds"] = {"mode": "absolute", "steps": _STEPS}
    return {
        "id": identity,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "gridPos": place,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for number, (legend, query) in enumerate(panel.queries.items())
        ],
    }


_STEPS = [{"color": "green", "value": None}, {"color": "orange", "value": 0.85}, {"color": "red", "value": 0.95}]
