"""Which alerts are judged, and with which numbers: the catalogue, changed by one setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..records.alert_catalogue import ALERTS, ALERTS_BY_NAME, Alert

_HINT = "write names from docs/metrics.md: `GpuHot`, `GpuHot=90`, `-DownloadFailed`, `all`"


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert that is on, with the number that its condition leaves open."""

    alert: Alert
    threshold: float | None


def choose_rules(setting: Sequence[str]) -> tuple[Rule, ...]:
    """Read the setting `alerts`; what it does not name stays as the catalogue says.

    Raises: ConfigError: an entry names no alert or gives no number.
    """
    on = {alert.name: alert.on for alert in ALERTS}
    thresholds = {alert.name: alert.threshold for alert in ALERTS}
    for entry in setting:
        name, has_number, number = entry.strip().partition("=")
        off = name.startswith("-")
        name = name.removeprefix("-").strip()
        if name == "all":
            on = dict.fromkeys(on, not off)
            continue
        if name not in ALERTS_BY_NAME:
            raise ConfigError(f"there is no alert `{name[:60]}`", hint=_HINT)
        on[name] = not off
        if has_number:
            thresholds[name] = _number(ALERTS_BY_NAME[name], number)
    return tuple(Rule(alert, thresholds[alert.name]) for alert in ALERTS if on[alert.name])


def _number(alert: Alert, text: str) -> float:
    if alert.threshold is None:
        raise ConfigError(f"the alert `{alert.name}` takes no number", hint=_HINT)
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"`{alert.name}={text[:40]}`: that is no number", hint=_HINT) from None
