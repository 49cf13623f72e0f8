"""What goes wrong, when, and for whom: rules, and the effects they have on one reply.

A rule counts the requests that match it; `skip`, `times`, `every` and `fraction` pick among them. The choice of
`fraction` is a hash of (seed, rule, count), so a run repeats exactly.
"""

from __future__ import annotations

import fnmatch
import hashlib
import itertools
import threading
from dataclasses import dataclass, field
from typing import Any

# kind -> its parameters with their defaults; README.md says what each does.
KINDS: dict[str, dict[str, Any]] = {
    "delay": {"seconds": 0.05},
    "rate": {"bytes_per_second": 1_000_000},
    "drop": {"after_bytes": 0, "reset": False},
    "no_reply": {"reset": False},
    "stall": {"after_bytes": 0, "seconds": None},
    "slow_loris": {"chunk_bytes": 1, "interval_seconds": 0.05, "after_bytes": 0},
    "status": {"status": 503, "retry_after": None, "body": None, "content_type": "text/plain; charset=utf-8"},
    "rate_limit": {"retry_after": 1, "window_seconds": 300, "quota": 3000},
    "max_connections": {"limit": 4, "status": 429, "retry_after": None},
    "ignore_range": {},
    "content_range": {"start_shift": 1, "total_shift": 0},
    "wrong_body": {"shift": 0, "keep_header": False},
    "short_body": {"missing_bytes": 1, "declared": "full"},
    "change": {"after_requests": 0, "etag": True, "resize": 0},
    "expire": {"seconds": 1.0},
    "expired": {},
    "gzip": {"level": 1},
    "no_length": {},
    "headers": {"set": {}, "remove": []},
    "huge_header": {"bytes": 200_000},
    "redirect": {"location": "", "status": 302},
    "redirect_loop": {"status": 302},
    "redirect_private": {"location": "http://169.254.169.254/latest/meta-data/", "status": 302},
    "html_login": {"status": 200},
    "lfs_pointer": {},
    "xml_error": {"status": 200},
}
_SELECTORS = ("file", "origin", "path", "methods", "skip", "times", "every", "fraction", "min_offset")


class FaultError(ValueError):
    """A rule that cannot be understood."""


@dataclass(slots=True, kw_only=True)
class Rule:
    """One fault, whom it hits, and how often it has been met."""

    rule_id: int
    kind: str
    params: dict[str, Any]
    file: str = "*"
    origin: str | None = None
    path: str | None = None
    methods: tuple[str, ...] = ("GET",)
    skip: int = 0
    times: int | None = None
    every: int = 1
    fraction: float | None = None
    min_offset: int | None = None
    met: int = 0
    applied: int = 0
    active: int = 0

    def concerns(self, facts: Facts) -> bool:
        """Tell whether a request is one that this rule counts.

        A rule that names neither an origin nor a path is about files: it meets the replies that carry their bytes,
        not the redirects and listings on the way to them.
        """
        if self.origin is None and self.path is None and not facts.carries_file:
            return False
        if self.origin not in (None, facts.origin) or facts.method not in self.methods:
            return False
        if self.path is not None and not fnmatch.fnmatchcase(facts.path, self.path):
            return False
        if self.min_offset is not None and facts.range_start < self.min_offset:
            return False
        names = (facts.file, facts.file.rsplit("/", 1)[-1])
        return any(fnmatch.fnmatchcase(name, self.file) for name in names)

    def choose(self, seed: int) -> bool:
        """Count a met request and decide whether the fault strikes it."""
        number = self.met
        self.met += 1
        if number < self.skip or (number - self.skip) % self.every:
            return False
        if self.times is not None and self.applied >= self.times:
            return False
        if self.fraction is not None:
            draw = hashlib.sha256(f"{seed}:{self.rule_id}:{number}".encode()).digest()
            if int.from_bytes(draw[:8], "big") / 2**64 >= self.fraction:
                return False
        self.applied += 1
        return True

    def describe(self) -> dict[str, Any]:
        row = {name: getattr(self, name) for name in ("rule_id", "kind", *_SELECTORS, "met", "applied")}
        return row | {"params": self.params}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What rules look at in a request and the reply it would get."""

    origin: str
    method: str
    path: str
    file: str
    carries_file: bool
    range_start: int = 0


@dataclass(slots=True)
class Strikes:
    """The faults that strike one reply, by kind."""

    by_kind: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: list[Rule] = field(default_factory=list)

    def get(self, kind: str) -> dict[str, Any] | None:
        return self.by_kind.get(kind)


class Faults:
    """The rules in force."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._ids = itertools.count(1)

    def add(self, spec: dict[str, Any]) -> int:
        """Add a rule from its JSON form: `kind`, selectors and parameters side by side."""
        spec = dict(spec)
        kind = spec.pop("kind", None)
        if kind not in KINDS:
            raise FaultError(f"unknown fault kind {kind!r}; there are {', '.join(KINDS)}")
        selectors = {name: spec.pop(name) for name in _SELECTORS if name in spec}
        if unknown := spec.keys() - KINDS[kind].keys():
            raise FaultError(f"{kind} does not take {', '.join(sorted(unknown))}; it takes {', '.join(KINDS[kind])}")
        if "methods" in selectors:
            selectors["methods"] = tuple(selectors["methods"])
        with self._lock:
            rule = Rule(rule_id=next(self._ids), kind=kind, params=KINDS[kind] | spec, **selectors)
            self._rules.append(rule)
        return rule.rule_id

    def remove(self, rule_id: int) -> None:
        with self._lock:
            self._rules = [rule for rule in self._rules if rule.rule_id != rule_id]

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self._ids = itertools.count(1)

    def describe(self) -> list[dict[str, Any]]:
        with self._lock:
            return [rule.describe() for rule in self._rules]

    def strike(self, facts: Facts) -> Strikes:
        """Count a request with every rule it concerns and gather what strikes it; pair it with `release`."""
        strikes = Strikes()
        with self._lock:
            for rule in self._rules:
                if rule.kind == "expire" or not rule.concerns(facts):
                    continue
                if rule.kind == "max_connections":
                    rule.active += 1
                    strikes.held.append(rule)
                    if rule.active <= rule.params["limit"]:
                        continue
                if rule.kind == "change":
                    # It stays changed, whatever part of the file is asked for later.
                    rule.met += 1
                    if rule.met <= rule.params["after_requests"]:
                        continue
                    rule.applied += 1
                elif not rule.choose(self._seed):
                    continue
                strikes.by_kind[rule.kind] = rule.params
        return strikes

    def release(self, strikes: Strikes) -> None:
        with self._lock:
            for rule in strikes.held:
                rule.active -= 1

    def signature_seconds(self, file: str) -> float | None:
        """Give how long a signed URL for a file shall live, when an `expire` rule says so."""
        facts = Facts(origin="cdn", method="GET", path="", file=file, carries_file=True)
        with self._lock:
            for rule in self._rules:
                if rule.kind == "expire" and rule.concerns(facts) and rule.choose(self._seed):
                    return float(rule.params["seconds"])
        return None
