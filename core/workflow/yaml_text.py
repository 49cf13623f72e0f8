"""YAML from a person, read with the line of every part, so that an error can name it.

Aliases are refused: nested, they make a small text grow without bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ..errors import ManifestError

if TYPE_CHECKING:
    import yaml

_MAX_CHARS = 2 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """One value of the text: a scalar, a list of parts, or a mapping of parts; `line` counts from 1."""

    where: str
    line: int
    value: str | tuple[Part, ...] | dict[str, Part] | None

    def fail(self, message: str, hint: str | None = None) -> NoReturn:
        """Raise: ManifestError: with the file's name and this line."""
        raise ManifestError(f"{self.where}, line {self.line}: {message}", hint=hint)

    def items(self, what: str) -> tuple[Part, ...]:
        """Return the parts of a list; nothing is an empty list."""
        if self.value is None:
            return ()
        if not isinstance(self.value, tuple):
            self.fail(f"{what} must be a list")
        return self.value

    def fields(self, what: str, known: Mapping[str, object] | frozenset[str] | None = None) -> dict[str, Part]:
        """Return the parts of a mapping; a key that is not known is an error with its line."""
        if not isinstance(self.value, dict):
            self.fail(f"{what} must be a mapping (`key: value`)")
        for key, part in self.value.items():
            if known is not None and key not in known:
                part.fail(f"{what} has no `{key[:60]}`", hint="known: " + ", ".join(sorted(known)))
        return self.value

    def text(self, what: str) -> str:
        """Return a text; a number counts as the text it was written as."""
        if not isinstance(self.value, str) or not self.value:
            self.fail(f"{what} must be a text")
        return self.value

    def number(self, what: str) -> int:
        """Return a whole number that is not negative."""
        if not isinstance(self.value, str) or not self.value.isdecimal() or len(self.value) > 18:
            self.fail(f"{what} must be a whole number")
        return int(self.value)


def read_yaml(text: str, where: str) -> Part:
    """Read one document. Raises: ManifestError: no YAML, an alias, a key twice, too large, nested too deep."""
    import yaml  # late: the command line does not need it for most commands

    if len(text) > _MAX_CHARS:
        raise ManifestError(f"{where} is longer than {_MAX_CHARS >> 20} MiB", hint="split it")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return Part(where, 1, None) if root is None else _part(root, where, set())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise ManifestError(f"{where}, line {line}: {error.problem or 'this is no YAML'}") from None
    except yaml.YAMLError as error:
        raise ManifestError(f"{where}: {str(error)[:200]}") from None
    except RecursionError:
        raise ManifestError(f"{where} is nested too deep") from None


def _part(node: yaml.Node, where: str, seen: set[int]) -> Part:
    import yaml

    line = _line(node)
    if id(node) in seen:  # an alias is composed into the very node it stands for
        raise ManifestError(f"{where}: aliases are not supported: the part at line {line} is used twice")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return Part(where, line, tuple(_part(item, where, seen) for item in node.value))
    if isinstance(node, yaml.MappingNode):
        fields: dict[str, Part] = {}
        for key, value in node.value:
            name = Part(where, _line(key), key.value if isinstance(key, yaml.ScalarNode) else None).text("a key")
            if name in fields:
                Part(where, _line(key), name).fail(f"`{name[:60]}` stands there twice")
            fields[name] = Part(where, _line(key), _part(value, where, seen).value)
        return Part(where, line, fields)
    return Part(where, line, None if node.tag == "tag:yaml.org,2002:null" else str(node.value))


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark is not None else 1
