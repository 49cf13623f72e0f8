"""The Prometheus rule file and scrape configuration, made from the catalogue."""

from __future__ import annotations

from ..records.alert_catalogue import ALERTS, Alert

HEADER = "# Made by `comfystow metrics --write docker/monitoring` from the catalogue in `core/records`; edit that.\n"


def alert_rules() -> str:
    """Give the rule file as YAML."""
    import yaml

    groups = {"groups": [{"name": "comfystow", "rules": [_rule(alert) for alert in ALERTS]}]}
    return HEADER + yaml.safe_dump(groups, sort_keys=False, allow_unicode=True, width=120)


def _rule(alert: Alert) -> dict[str, object]:
    rule: dict[str, object] = {"alert": f"ComfyStow{alert.name}", "expr": alert.query}
    if alert.for_seconds:
        rule["for"] = f"{alert.for_seconds}s"
    rule["labels"] = {"severity": alert.severity.value}
    rule["annotations"] = {"summary": alert.summary, "description": alert.action}
    return rule


def scrape_config(target: str, *, rule_file: str) -> str:
    """Give a Prometheus configuration that scrapes what `comfystow metrics --listen` serves."""
    import yaml

    config = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [rule_file],
        "scrape_configs": [
            {
                "job_name": "comfystow",
                "metrics_path": "/metrics",
                "static_configs": [{"targets": [target]}],
            }
        ],
    }
    return HEADER + yaml.safe_dump(config, sort_keys=False)
