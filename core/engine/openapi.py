"""OpenAPI 3.1 from the route table and the records (spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any

from ..records.download import Download, ErrorInfo
from ..records.source import Digest
from .protocol import HTTP_PREFIX
from .routes import ROUTES, Route

_SCALARS: dict[object, dict[str, object]] = {
    str: {"type": "string"},
    Path: {"type": "string"},
    Digest: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def document(version: str) -> dict[str, object]:
    """Describe every row that ComfyUI's server mounts."""
    schemas: dict[str, object] = {}
    for record in (Download, ErrorInfo):
        _schema(record, schemas)
    paths: dict[str, dict[str, object]] = {}
    for route in ROUTES:
        if not route.internal:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ComfyStow", "version": version},
        "servers": [{"url": HTTP_PREFIX}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(route: Route, schemas: dict[str, object]) -> dict[str, object]:
    error = {"type": "object", "properties": {"error": {"$ref": "#/components/schemas/ErrorInfo"}}}
    operation: dict[str, object] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {
            str(route.status): {"description": route.returns, "content": {route.content_type: {}}},
            "default": {"description": "an error", "content": {"application/json": {"schema": error}}},
        },
    }
    text = {"schema": {"type": "string"}}
    parameters = [{"name": name, "in": "path", "required": True, **text} for name in route.parameters]
    parameters += [{"name": name, "in": "query", "required": False, **text} for name in route.query]
    if parameters:
        operation["parameters"] = parameters
    if route.request is not None:
        schema = _schema(route.request, schemas)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _schema(kind: Any, schemas: dict[str, object]) -> dict[str, object]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    if origin in {typing.Union, types.UnionType}:
        return {"anyOf": [{"type": "null"} if item is type(None) else _schema(item, schemas) for item in arguments]}
    if origin in {tuple, list, frozenset}:
        return {"type": "array", "items": _schema(arguments[0], schemas)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], schemas)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"type": "string", "enum": [item.value for item in kind]}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind, schemas)
    return {}


def _record(kind: type, schemas: dict[str, object]) -> dict[str, object]:
    name = kind.__name__
    if name not in schemas:
        schemas[name] = {}  # before its fields: a record may hold itself
        hints = typing.get_type_hints(kind)
        fields = dataclasses.fields(kind)
        schemas[name] = {
            "type": "object",
            "properties": {item.name: _schema(hints[item.name], schemas) for item in fields},
            "required": [
                item.name
                for item in fields
                if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
            ],
        }
    return {"$ref": f"#/components/schemas/{name}"}
