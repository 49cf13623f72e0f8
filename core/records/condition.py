"""When an alert fires, as data: Prometheus reads it as a query (`promql`), `core/alerts` judges it in the process.

Only what the catalogue needs, with Prometheus' meaning: a series that is not there fulfils nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "comfystow_"


@dataclass(frozen=True, slots=True)
class Series:
    """All series of one metric (exposed name without prefix), or those whose `label` is `one_of` some values."""

    name: str
    label: str | None = None
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """One metric as a part of another with the same labels."""

    part: Series
    whole: Series


@dataclass(frozen=True, slots=True)
class Highest:
    """The largest of all series."""

    series: Series


@dataclass(frozen=True, slots=True)
class Growth:
    """How much a counter has grown within a window."""

    series: Series
    window_seconds: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where a gauge will be some time ahead, if it goes on as it did within a window (least squares)."""

    series: Series
    window_seconds: int
    ahead_seconds: int


Expression = Series | Share | Highest | Growth | Forecast


@dataclass(frozen=True, slots=True)
class Test:
    """An expression against a number; `threshold` None is the alert's own, which settings may change."""

    expression: Expression
    comparison: Literal[">", "<", "=="]
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold; the series of the first test are what the alert is about."""

    test: Test
    while_also: Test | None = None

    def promql(self, threshold: float | None) -> str:
        """Write it as a Prometheus query."""
        text = _test(self.test, threshold)
        return text if self.while_also is None else f"{text} and on() {_test(self.while_also, threshold)}"

    @property
    def series(self) -> tuple[Series, ...]:
        """Return every series that it reads."""
        tests = (self.test,) if self.while_also is None else (self.test, self.while_also)
        return tuple(series for test in tests for series in series_of(test.expression))


def series_of(expression: Expression) -> tuple[Series, ...]:
    """Return the series that an expression reads."""
    match expression:
        case Series():
            return (expression,)
        case Share(part, whole):
            return (part, whole)
        case Highest(series) | Growth(series, _) | Forecast(series, _, _):
            return (series,)


def _test(test: Test, threshold: float | None) -> str:
    number = test.threshold if test.threshold is not None else threshold
    assert number is not None, "an alert whose condition leaves the number open has a threshold"  # noqa: S101
    return f"{_expression(test.expression)} {test.comparison} {number:g}"


def _expression(expression: Expression) -> str:
    match expression:
        case Series():
            return _series(expression)
        case Share(part, whole):
            return f"{_series(part)} / {_series(whole)}"
        case Highest(series):
            return f"max({_series(series)})"
        case Growth(series, window_seconds):
            return f"increase({_series(series)}[{_duration(window_seconds)}])"
        case Forecast(series, window_seconds, ahead_seconds):
            return f"predict_linear({_series(series)}[{_duration(window_seconds)}], {ahead_seconds})"


def _series(series: Series) -> str:
    if series.label is None:
        return PREFIX + series.name
    # Parentheses and dots of the values mean themselves; Prometheus' regular expressions are RE2, anchored.
    escaped = [value.replace("(", r"\\(").replace(")", r"\\)").replace(".", r"\\.") for value in series.one_of]
    return f'{PREFIX}{series.name}{{{series.label}=~"{"|".join(escaped)}"}}'


def _duration(seconds: int) -> str:
    return f"{seconds // 60}m" if seconds % 60 == 0 else f"{seconds}s"
