"""The value of a condition over a timeline; pure, and with Prometheus' meaning (tests hold it against promtool)."""

from __future__ import annotations

from itertools import pairwise

from ..records.condition import Condition, Expression, Forecast, Growth, Highest, Series, Share, Test
from .timeline import Points, Timeline, Vector


def evaluate(condition: Condition, timeline: Timeline, threshold: float | None) -> Vector:
    """Return the series for which the condition holds now, with their values."""
    about = _holds(condition.test, timeline, threshold)
    if condition.while_also is not None and not _holds(condition.while_also, timeline, threshold):
        return {}
    return about


def _holds(test: Test, timeline: Timeline, threshold: float | None) -> Vector:
    number = test.threshold if test.threshold is not None else threshold
    if number is None:
        return {}
    values = _value(test.expression, timeline)
    return {labels: value for labels, value in values.items() if _compare(value, test.comparison, number)}


def _compare(value: float, comparison: str, number: float) -> bool:
    match comparison:
        case ">":
            return value > number
        case "<":
            return value < number
        case _:
            return value == number


def _value(expression: Expression, timeline: Timeline) -> Vector:
    match expression:
        case Series():
            return timeline.now(expression)
        case Share(part, whole):
            wholes = timeline.now(whole)
            return {
                labels: value / wholes[labels] for labels, value in timeline.now(part).items() if wholes.get(labels)
            }
        case Highest(series):
            values = timeline.now(series).values()
            return {(): max(values)} if values else {}
        case Growth(series, window_seconds):
            grown = timeline.since(series, window_seconds)
            return {labels: _growth(points) for labels, points in grown.items() if len(points) > 1}
        case Forecast(series, window_seconds, ahead_seconds):
            trends = timeline.since(series, window_seconds)
            return {labels: _forecast(points, ahead_seconds) for labels, points in trends.items() if len(points) > 1}


def _growth(points: Points) -> float:
    """Sum what a counter gained; one that went back was started anew, from 0."""
    gained = 0.0
    for (_, before), (_, after) in pairwise(points):
        gained += after - before if after >= before else after
    return gained


def _forecast(points: Points, ahead_seconds: float) -> float:
    """Continue the line of least squares; its origin is the newest point, which keeps the sums small."""
    end = points[-1][0]
    count = len(points)
    mean_time = sum(time - end for time, _ in points) / count
    mean_value = sum(value for _, value in points) / count
    spread = sum((time - end - mean_time) ** 2 for time, _ in points)
    if spread == 0:
        return points[-1][1]
    slope = sum((time - end - mean_time) * (value - mean_value) for time, value in points) / spread
    return mean_value + slope * (ahead_seconds - mean_time)
