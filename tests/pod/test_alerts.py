"""What the controller tells becomes metrics and alerts of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.errors import NotFoundHereError
from comfystow.core.records.json import to_json
from comfystow.core.records.pod import PodState, ServiceState, ServiceStatus
from support.engines import served, wait_for


@pytest.fixture
def client(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("COMFYSTOW_ALERT_INTERVAL_SECONDS", "0.1")
    with served(tmp_path, tmp_path_factory.mktemp("r")) as opened:
        yield opened


def tell(client: SyncEngineClient, state: ServiceState, restarts: int = 0, **more: float) -> None:
    service = ServiceStatus(name="comfyui", title="ComfyUI", state=state, restarts=restarts, **more)
    off = ServiceStatus(name="ssh", title="SSH", state=ServiceState.OFF, reason="no key")
    client.call("POST", "/pod/state", to_json(PodState(provider="none", started_at=1.0, services=(service, off))))


def alert(client: SyncEngineClient, name: str) -> dict[str, Any] | None:
    rows = client.call("GET", "/alerts")["alerts"]
    return next((row for row in rows if row["name"] == name), None)


def test_machine_without_a_pod_says_so_and_takes_no_orders(client: SyncEngineClient) -> None:
    assert client.call("GET", "/pod")["present"] is False
    with pytest.raises(NotFoundHereError, match="runs no pod"):
        client.call("POST", "/pod/services/comfyui/stop", {})


def test_crash_loop_fires_and_a_service_that_is_down_waits_for_its_minute(client: SyncEngineClient) -> None:
    tell(client, ServiceState.READY, startup_seconds=7.0, response_seconds=0.01)
    shown = client.call("GET", "/pod")
    assert shown["present"] is True
    text = client.request("GET", "/metrics")[1]
    assert 'comfystow_service_up{service="comfyui"} 1.0' in text
    assert 'comfystow_service_startup_seconds{service="comfyui"} 7.0' in text
    assert "ssh" not in text
    wait_for(lambda: alert(client, "ServiceDown") is None)
    for restarts in range(1, 5):
        tell(client, ServiceState.CRASH_LOOP, restarts)
    row = wait_for(lambda: (found := alert(client, "ServiceCrashLoop")) and found["firing"] and found)
    assert "comfyui" in str(row)
    assert wait_for(lambda: alert(client, "ServiceDown"))["firing"] is False


def test_service_on_its_first_way_up_or_stopped_by_somebody_is_not_down(client: SyncEngineClient) -> None:
    for state in (ServiceState.WAITING, ServiceState.STARTING, ServiceState.STOPPED):
        tell(client, state)
        assert "service_up" not in client.request("GET", "/metrics")[1]
    tell(client, ServiceState.STARTING, restarts=1)
    assert 'comfystow_service_up{service="comfyui"} 0.0' in client.request("GET", "/metrics")[1]
