"""Conditions of a manifest: `vram_gb >= 16 and gpu_arch != turing`, read by a parser of their own.

    either     = both {"or" both}
    both       = single {"and" single}
    single     = "not" single | "(" either ")" | comparison
    comparison = fact ("==" | "!=" | ">=" | "<=" | ">" | "<") value

Facts: `vram_gb` (of the largest GPU, decimal GB), `gpu_arch` (turing, ampere, ada, hopper, blackwell, or a compute
capability like 8.9), `profile` (a word that the caller chose). A fact that is unknown makes the outcome unknown, not
false: a Docker build without a GPU must say what it builds for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ManifestError

#: NVIDIA's compute capabilities by name ("CUDA C++ Programming Guide", compute capabilities).
_ARCHITECTURES = {
    "pascal": 6.0,
    "volta": 7.0,
    "turing": 7.5,
    "ampere": 8.0,
    "ada": 8.9,
    "hopper": 9.0,
    "blackwell": 10.0,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<op>>=|<=|==|!=|>|<|[()])|(?P<word>[A-Za-z_][\w.-]*)|(?P<number>\d+(?:\.\d+)?)|['\"](?P<text>[^'\"]*)['\"])"
)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
}
_MAX_CHARS = 500
_MAX_NESTING = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What conditions may ask about the machine; None is unknown."""

    vram_gb: float | None = None
    gpu_arch: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it was written, and its test: true, false, or None where a fact it needs is unknown."""

    text: str
    holds: Callable[[Facts], bool | None]


def parse_condition(text: str) -> Condition:
    """Read a condition. Raises: ManifestError: says what is wrong, with the facts there are."""
    if len(text) > _MAX_CHARS:
        raise _wrong(text, f"it is longer than {_MAX_CHARS} characters")
    parser = _Parser(text)
    return Condition(text, parser.whole())


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        if sum(token in {("op", "("), ("word", "not")} for token in self._tokens) > _MAX_NESTING:
            raise _wrong(text, f"it has more than {_MAX_NESTING} brackets and nots")

    def whole(self) -> Callable[[Facts], bool | None]:
        result = self._either()
        if self._at < len(self._tokens):
            raise _wrong(self._text, f"`{self._tokens[self._at][1]}` is too much")
        return result

    def _either(self) -> Callable[[Facts], bool | None]:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda facts: _any([part(facts) for part in parts])

    def _both(self) -> Callable[[Facts], bool | None]:
        parts = [self._single()]
        while self._take("and"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else lambda facts: _not(_any([_not(part(facts)) for part in parts]))

    def _single(self) -> Callable[[Facts], bool | None]:
        if self._take("not"):
            inner = self._single()
            return lambda facts: _not(inner(facts))
        if self._take("("):
            inner = self._either()
            if not self._take(")"):
                raise _wrong(self._text, "a bracket is not closed")
            return inner
        return self._comparison()

    def _comparison(self) -> Callable[[Facts], bool | None]:
        fact, op, value = (self._next() for _ in range(3))
        if op not in _COMPARE:
            raise _wrong(self._text, f"`{op}` is no comparison; there are {' '.join(_COMPARE)}")
        compare = _COMPARE[op]
        if fact == "vram_gb":
            limit = _number(value, self._text)
            return lambda facts: None if facts.vram_gb is None else compare(facts.vram_gb, limit)
        if fact == "gpu_arch":
            return _compare_architecture(op, value, self._text)
        if fact == "profile":
            if op not in {"==", "!="}:
                raise _wrong(self._text, "a profile is equal (==) or not (!=)")
            equal = op == "=="
            return lambda facts: None if facts.profile is None else (facts.profile == value) is equal
        raise _wrong(self._text, f"`{fact}` is no fact")

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise _wrong(self._text, "it ends too early")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] in {("op", word), ("word", word)}:
            self._at += 1
            return True
        return False


def _compare_architecture(op: str, value: str, text: str) -> Callable[[Facts], bool | None]:
    """Compare generations where a name is given, capabilities where a number is."""
    named = value.lower() in _ARCHITECTURES
    wanted = _capability(value)
    if wanted is None:
        raise _wrong(text, f"`{value}` is no architecture; there are {', '.join(_ARCHITECTURES)} and numbers like 8.9")
    wanted_value: float = wanted

    def holds(facts: Facts) -> bool | None:
        found = _capability(facts.gpu_arch) if facts.gpu_arch is not None else None
        if found is None:
            return None
        return _COMPARE[op](_generation(found) if named else found, wanted_value)

    return holds


def _capability(text: str) -> float | None:
    name = text.lower()
    if name in _ARCHITECTURES:
        return _ARCHITECTURES[name]
    match = re.fullmatch(r"(?:sm_?(\d{1,2})(\d)[af]?)|(\d{1,2}(?:\.\d)?)", name)
    if match is None:
        return None
    return float(f"{match[1]}.{match[2]}" if match[1] else match[3])


def _generation(capability: float) -> float:
    """Return the capability that a generation begins with: 8.6 is Ampere, 12.0 is Blackwell."""
    return max((value for value in _ARCHITECTURES.values() if value <= capability), default=0.0)


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise _wrong(text, f"`{text[position:].strip()[:20]}` cannot be read")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


def _number(value: str, text: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise _wrong(text, f"`{value}` is no number") from None


def _any(outcomes: list[bool | None]) -> bool | None:
    if True in outcomes:
        return True
    return None if None in outcomes else False


def _not(outcome: bool | None) -> bool | None:  # noqa: FBT001 - the value itself is the argument
    return None if outcome is None else not outcome


def _wrong(text: str, reason: str) -> ManifestError:
    return ManifestError(
        f"the condition `{text[:100]}` cannot be used: {reason}",
        hint="write it like `vram_gb >= 16`, `gpu_arch >= ada`, `profile == video`; join with and, or, not",
    )
