"""What was measured within the windows that conditions look back over. Times are monotonic seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ..metrics.reading import Reading
from ..records.catalogue import metric_of
from ..records.condition import Expression, Forecast, Growth, Series, series_of

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]
Points = list[tuple[float, float]]

#: More series of one metric than this are a defect of who measures; the rest is left out.
_MAX_SERIES = 256
_MAX_POINTS = 720


def window_of(expression: Expression) -> int:
    """Return how far an expression looks back, in seconds."""
    return expression.window_seconds if isinstance(expression, Growth | Forecast) else 0


class Timeline:
    """Keeps the series that some expressions need, each for the longest window that any of them has."""

    def __init__(self, expressions: Iterable[Expression]) -> None:
        self._windows: dict[str, int] = {}
        for expression in expressions:
            for series in series_of(expression):
                name = metric_of(series.name).name
                self._windows[name] = max(self._windows.get(name, 0), window_of(expression))
        self._kept: dict[str, dict[Labels, deque[tuple[float, float]]]] = {name: {} for name in self._windows}
        self._now = float("-inf")

    def add(self, now: float, readings: Iterable[Reading]) -> None:
        """Take everything that is known now; a series that is not among it is gone."""
        self._now = now
        for reading in readings:
            kept = self._kept.get(reading.name)
            if kept is None:
                continue
            labels = tuple(zip(metric_of(reading.name).labels, reading.labels, strict=True))
            if labels in kept or len(kept) < _MAX_SERIES:
                kept.setdefault(labels, deque(maxlen=_MAX_POINTS)).append((now, float(reading.value)))
        for name, kept in self._kept.items():
            self._drop_old(kept, now - self._windows[name])

    @staticmethod
    def _drop_old(kept: dict[Labels, deque[tuple[float, float]]], oldest: float) -> None:
        for labels, points in list(kept.items()):
            while points and points[0][0] < oldest:
                points.popleft()
            if not points:
                del kept[labels]

    def now(self, series: Series) -> Vector:
        """Return the values of the newest reading."""
        return {labels: points[-1][1] for labels, points in self._select(series) if points[-1][0] == self._now}

    def since(self, series: Series, window_seconds: float) -> dict[Labels, Points]:
        """Return the points of a window that ends now."""
        oldest = self._now - window_seconds
        return {labels: [point for point in points if point[0] >= oldest] for labels, points in self._select(series)}

    def _select(self, series: Series) -> list[tuple[Labels, deque[tuple[float, float]]]]:
        kept = self._kept[metric_of(series.name).name]
        return [
            (labels, points)
            for labels, points in kept.items()
            if series.label is None or dict(labels).get(series.label) in series.one_of
        ]
