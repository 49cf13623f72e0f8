"""Where alerts are told: the log, the panel's notices, the owner's webhook."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ..records.alert import ActiveAlert
from ..records.catalogue import Severity
from ..records.event import Event, Topic
from ..records.json import to_json
from .webhook import Webhook

_log = logging.getLogger("comfystow.alerts")


def notice_of(alert: ActiveAlert) -> Event:
    """Return the event that a panel shows; every viewer gets it, so a disk is called by its last name only."""
    path = alert.labels.get("path")
    shown = replace(alert, labels={name: value for name, value in alert.labels.items() if name != "path"})
    if path is not None:
        shown = replace(shown, summary=alert.summary.replace(path, PurePosixPath(path).name or "the disk"))
    return Event(Topic.NOTICE, {"kind": "alert", "alert": to_json(shown)})


def log_alert(alert: ActiveAlert) -> None:
    """Write one line."""
    if alert.resolved_at is not None:
        _log.info("alert %s is over: %s", alert.name, alert.summary)
    elif alert.severity is Severity.CRITICAL:
        _log.error("alert %s: %s (%s)", alert.name, alert.summary, alert.action)
    else:
        _log.warning("alert %s: %s (%s)", alert.name, alert.summary, alert.action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    """All of them; each takes what began and what is over."""

    publish: Callable[[Event], None]
    webhook: Webhook | None

    def tell(self, alert: ActiveAlert) -> None:
        """Tell everywhere; nothing here waits."""
        log_alert(alert)
        self.publish(notice_of(alert))
        if self.webhook is not None:
            self.webhook.offer(alert)
