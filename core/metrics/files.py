"""The files of `docker/monitoring/`: what Prometheus and Grafana need, all made from the catalogue."""

from __future__ import annotations

from pathlib import Path

from .dashboard import dashboard
from .rules import HEADER, alert_rules, scrape_config

RULES_NAME = "comfystow.rules.yml"
#: `comfystow metrics --listen` in ComfyUI's container: ComfyUI's own port asks other machines for the access secret.
DEFAULT_TARGET = "comfyui:9188"

#: Where compose mounts the dashboards in Grafana's container.
_DASHBOARDS = "/var/lib/grafana/dashboards"


def monitoring_files(target: str = DEFAULT_TARGET) -> dict[str, str]:
    """Map each file's name to its text; `target` is what Prometheus scrapes."""
    return {
        "prometheus/prometheus.yml": scrape_config(target, rule_file=RULES_NAME),
        f"prometheus/{RULES_NAME}": alert_rules(),
        "grafana/provisioning/datasources/prometheus.yml": _data_source(),
        "grafana/provisioning/dashboards/comfystow.yml": _provider(),
        "grafana/dashboards/comfystow.json": dashboard(),
    }


def write_files(folder: Path, target: str = DEFAULT_TARGET) -> list[Path]:
    """Write them below a folder; return where."""
    written = []
    for name, text in monitoring_files(target).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _data_source() -> str:
    return _yaml(
        {
            "apiVersion": 1,
            "datasources": [
                {
                    "name": "Prometheus",
                    "uid": "comfystow-prometheus",
                    "type": "prometheus",
                    "access": "proxy",
                    "url": "http://prometheus:9090",
                    "isDefault": True,
                }
            ],
        }
    )


def _provider() -> str:
    provider = {"name": "ComfyStow", "folder": "ComfyUI", "type": "file", "options": {"path": _DASHBOARDS}}
    return _yaml({"apiVersion": 1, "providers": [provider]})


def _yaml(data: object) -> str:
    import yaml

    return HEADER + str(yaml.safe_dump(data, sort_keys=False))
