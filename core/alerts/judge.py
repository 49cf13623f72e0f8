"""The judge: readings over time go in, what began and what ended comes out. No clock, no input or output of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..metrics.reading import Reading
from ..records.alert import ActiveAlert
from .evaluate import evaluate
from .rules import Rule
from .text import render
from .timeline import Labels, Timeline

#: Prometheus forgets a series after five minutes without a value; what lies behind such a gap proves nothing either.
MAX_GAP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Held:
    began: float
    alert: ActiveAlert


class Judge:
    """Holds which alerts wait for their time and which fire."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._timeline = self._new_timeline()
        self._held: dict[tuple[str, Labels], _Held] = {}
        self._last: float | None = None

    def _new_timeline(self) -> Timeline:
        tests = [test for rule in self._rules for test in (rule.alert.condition.test, rule.alert.condition.while_also)]
        return Timeline(test.expression for test in tests if test is not None)

    @property
    def active(self) -> tuple[ActiveAlert, ...]:
        """What fires, and what holds but not for long enough yet."""
        return tuple(held.alert for held in self._held.values())

    @property
    def unsettled(self) -> bool:
        """True while something would change by the passing of time alone, so that another look is due."""
        return bool(self._held)

    def observe(self, now: float, wall: float, readings: Iterable[Reading]) -> tuple[ActiveAlert, ...]:
        """Take everything that is known now; return what began to fire and what is over.

        `now` is monotonic seconds and decides; `wall`, seconds since the epoch, is only told. After a clock that went
        back or a long gap, what waited for its time begins to wait anew; what fires goes on.
        """
        if self._last is not None and not 0 <= now - self._last <= MAX_GAP_SECONDS:
            self._timeline = self._new_timeline()
            self._held = {key: held for key, held in self._held.items() if held.alert.firing}
        self._last = now
        self._timeline.add(now, readings)
        changes: list[ActiveAlert] = []
        for rule in self._rules:
            changes.extend(self._apply(rule, now, wall))
        return tuple(changes)

    def _apply(self, rule: Rule, now: float, wall: float) -> Iterator[ActiveAlert]:
        alert = rule.alert
        holding = evaluate(alert.condition, self._timeline, rule.threshold)
        for key in [key for key in self._held if key[0] == alert.name and key[1] not in holding]:
            ended = self._held.pop(key).alert
            if ended.firing:
                yield replace(ended, firing=False, resolved_at=wall)
        for labels, value in holding.items():
            held = self._held.get((alert.name, labels))
            began, since = (held.began, held.alert.since) if held is not None else (now, wall)
            fired = held is not None and held.alert.firing
            firing = fired or now - began >= alert.for_seconds
            current = _describe(rule, labels, value, firing=firing, since=since)
            self._held[alert.name, labels] = _Held(began, current)
            if firing and not fired:
                yield current


def _describe(rule: Rule, labels: Labels, value: float, *, firing: bool, since: float) -> ActiveAlert:
    alert, names = rule.alert, dict(labels)
    return ActiveAlert(
        name=alert.name,
        severity=alert.severity,
        summary=render(alert.summary, names, value),
        action=alert.action,
        labels=names,
        value=value,
        threshold=rule.threshold,
        firing=firing,
        since=since,
    )
