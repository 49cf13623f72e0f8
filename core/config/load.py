"""Settings out of environment and file, and into the file."""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError, ReadOnlyError
from ..units import parse_size
from .settings import Settings
from .variables import ALIASES, ENV_PREFIX

_BOOLS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def load_settings(
    environment: Mapping[str, str] | None = None, file: Path | None = None, **overrides: object
) -> Settings:
    """Read the settings.

    `environment` None reads the process's own. Raises: ConfigError: names the setting and where it was set.
    """
    env = os.environ if environment is None else environment
    values = _from_file(file) if file is not None else {}
    hints = typing.get_type_hints(Settings)
    for item in dataclasses.fields(Settings):
        variable = ENV_PREFIX + item.name.upper()
        text = env.get(variable)
        if text is None and item.name in ALIASES:
            variable = ALIASES[item.name]
            text = env.get(variable)
        if text is not None and text != "":
            values[item.name] = _parse(text, hints[item.name], variable, size=item.metadata["size"])
    values.update({name: value for name, value in overrides.items() if value is not None})
    return Settings(**values)  # type: ignore[arg-type]


def describe_settings(settings: Settings, environment: Mapping[str, str] | None = None) -> list[dict[str, object]]:
    """List what may be changed over HTTP: value, default, what it means, and whether the environment holds it."""
    return [
        {
            "name": item.name,
            "value": getattr(settings, item.name),
            "default": None if item.default is dataclasses.MISSING else item.default,
            "doc": item.metadata["doc"],
            "set_by": _variable_of(item.name, os.environ if environment is None else environment),
        }
        for item in dataclasses.fields(Settings)
        if item.metadata["remote"] and not item.metadata["secret"]
    ]


def change_settings(file: Path, values: Mapping[str, object], environment: Mapping[str, str] | None = None) -> None:
    """Write settings to the file of the state folder; None goes back to the default.

    Raises: ConfigError: unknown, not to be changed over HTTP, held by the environment, or no such value.
    """
    known = {item.name: item for item in dataclasses.fields(Settings)}
    kept = dict(_from_file(file))
    for name, value in values.items():
        if name not in known or not known[name].metadata["remote"] or known[name].metadata["secret"]:
            raise ConfigError(f"`{name[:60]}` is not changed here", hint="see docs/config.md: set its variable")
        if (variable := _variable_of(name, os.environ if environment is None else environment)) is not None:
            raise ConfigError(f"{variable} sets `{name}` already", hint="take it out of the environment first")
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = check_setting(name, value)
            _check_number(name, value, least=1 if known[name].default is None else 0)
    temporary = file.with_name(f".{file.name}.new")
    try:
        temporary.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(file)
    except OSError as err:
        raise ReadOnlyError(f"cannot write `{file}`: {err.strerror}") from err


def _check_number(name: str, value: object, *, least: int) -> None:
    """A number that may be unset has no use for 0: it would stand for "never"."""
    if isinstance(value, int | float) and not isinstance(value, bool) and not least <= value < float("inf"):
        raise ConfigError(f"`{name}` cannot be {value}", hint=f"it is a number from {least} on")


def _variable_of(name: str, environment: Mapping[str, str]) -> str | None:
    variables = [ENV_PREFIX + name.upper(), *filter(None, [ALIASES.get(name)])]
    return next((variable for variable in variables if environment.get(variable)), None)


def _from_file(file: Path) -> dict[str, object]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as err:
        raise ConfigError(f"cannot read the settings `{file}`: {err}", hint="mend or remove the file") from err
    if not isinstance(data, dict):
        raise ConfigError(f"`{file}` holds no JSON object", hint="mend or remove the file")
    return {name: check_setting(name, value) for name, value in data.items() if name in _names()}


def _names() -> set[str]:
    return {item.name for item in dataclasses.fields(Settings)}


def check_setting(name: str, value: object) -> object:
    """Return a setting's value from JSON in its own type. Raises: ConfigError."""
    if name not in _names():
        raise ConfigError(f"there is no setting `{name[:60]}`")
    kind = typing.get_type_hints(Settings)[name]
    allowed = typing.get_args(kind) or (kind,)
    if typing.get_origin(kind) is tuple:
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
    elif float in allowed and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif type(value) in allowed:
        return value
    raise ConfigError(f"`{name}` cannot be {json.dumps(value, default=str)[:60]}", hint="see docs/config.md")


def _parse(text: str, kind: object, variable: str, *, size: bool) -> object:
    wanted = next(choice for choice in (typing.get_args(kind) or (kind,)) if choice is not type(None))
    try:
        if typing.get_origin(kind) is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if wanted is bool:
            return _BOOLS[text.strip().lower()]
        if size:
            return parse_size(text)
        return typing.cast("type[int | float | str]", wanted)(text)
    except (KeyError, ValueError, ConfigError) as err:
        raise ConfigError(f"{variable}=`{text[:60]}` cannot be used", hint="see docs/config.md") from err
