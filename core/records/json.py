"""The one place where records become JSON and JSON becomes records."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union

from ..errors import UsageError
from .source import Digest

T = TypeVar("T")

_PLAIN = frozenset({str, int, float, bool, type(None)})


def to_json(value: object) -> Any:
    """Turn records, enums, digests, paths and collections of them into plain JSON values."""
    kind: type = type(value)
    if kind in _PLAIN:  # by far the most
        return value
    if isinstance(value, Digest | Path):
        return str(value)
    if (names := _names_of(kind)) is not None:
        return {name: to_json(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(to_json(item) for item in value)
    return value


@cache
def _names_of(kind: type) -> tuple[str, ...] | None:
    """Return the fields of a record, None for what is none."""
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None


def from_json(record: type[T], data: object, *, strict: bool = True) -> T:
    """Build a record from JSON, checking every type.

    `strict` refuses unknown keys (requests of callers); without it they are dropped (data that a newer version
    wrote). Raises: UsageError: names the key and what it should have been.
    """
    return typing.cast("T", _read(record, data, record.__name__, strict=strict))


def _read(kind: Any, data: Any, where: str, *, strict: bool) -> Any:
    origin = typing.get_origin(kind)
    if origin in {Union, types.UnionType}:
        return _read_union(kind, data, where, strict=strict)
    if dataclasses.is_dataclass(kind):
        return _read_digest(data, where) if kind is Digest else _read_record(kind, data, where, strict=strict)
    if origin in {tuple, frozenset, list}:
        if not isinstance(data, list | tuple):
            raise _wrong(where, "a list", data)
        item = typing.get_args(kind)[0]
        return origin(_read(item, element, f"{where}[{index}]", strict=strict) for index, element in enumerate(data))
    if origin is dict:
        if not isinstance(data, Mapping):
            raise _wrong(where, "an object", data)
        item = typing.get_args(kind)[1]
        return {str(key): _read(item, element, f"{where}.{key}", strict=strict) for key, element in data.items()}
    return _read_scalar(kind, data, where)


def _read_union(kind: Any, data: Any, where: str, *, strict: bool) -> Any:
    choices = typing.get_args(kind)
    if data is None and type(None) in choices:
        return None
    first = next(choice for choice in choices if choice is not type(None))
    return _read(first, data, where, strict=strict)


def _read_record(kind: Any, data: Any, where: str, *, strict: bool) -> Any:
    if not isinstance(data, Mapping):
        raise _wrong(where, "an object", data)
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(str(key) for key in data if key not in fields)
    if unknown and strict:
        raise UsageError(f"{where} has no `{unknown[0][:60]}`", hint="known: " + ", ".join(sorted(fields)))
    values = {name: _read(hints[name], data[name], f"{where}.{name}", strict=strict) for name in fields if name in data}
    try:
        return kind(**values)
    except TypeError:
        needed = [
            field.name
            for field in fields.values()
            if field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
            and field.name not in values
        ]
        raise UsageError(f"{where} needs {', '.join(f'`{name}`' for name in needed)}") from None


def _read_digest(data: Any, where: str) -> Digest:
    try:
        return Digest.parse(data)
    except (ValueError, AttributeError):
        raise _wrong(where, "a digest like sha256:<64 hex digits>", data) from None


def _read_scalar(kind: Any, data: Any, where: str) -> Any:
    if kind is Any or kind is object:
        return data
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(data)
        except ValueError:
            raise _wrong(where, "one of " + ", ".join(str(item.value) for item in kind), data) from None
    if kind is Path and isinstance(data, str):
        return Path(data)
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if isinstance(kind, type) and isinstance(data, kind) and (kind is bool or not isinstance(data, bool)):
        return data
    raise _wrong(where, getattr(kind, "__name__", str(kind)), data)


def _wrong(where: str, wanted: str, data: object) -> UsageError:
    return UsageError(f"{where} must be {wanted}, not {type(data).__name__} `{str(data)[:60]}`")
