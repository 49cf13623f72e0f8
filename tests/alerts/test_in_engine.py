"""The whole way: a real engine, a download that fails, the owner's webhook."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from comfystow.core.config import load_settings
from comfystow.core.engine.installation import bare_layout
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.records.json import to_json
from support.engines import end_engines

SECRET = "the owner's key"


class Receiver(BaseHTTPRequestHandler):
    """The owner's endpoint: refuses the first message once, as a server that restarts does."""

    came: list[tuple[str | None, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.came.append((self.headers["X-ComfyStow-Signature"], body))
        self.send_response(503 if len(self.came) == 1 else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def received() -> Iterator[tuple[str, list[tuple[str | None, bytes]]]]:
    handler = type("Kept", (Receiver,), {"came": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", handler.came
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_failed_download_reaches_the_owner_signed_and_the_panel_as_a_notice(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, received, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, came = received
    run_dir = str(tmp_path_factory.mktemp("r"))
    for name, value in {
        "COMFYSTOW_RUN_DIR": run_dir,
        "COMFYSTOW_ENGINE_START_TIMEOUT_SECONDS": "60",
        "COMFYSTOW_ALERT_WEBHOOK_URL": url,
        "COMFYSTOW_ALERT_WEBHOOK_SECRET": SECRET,
        "COMFYSTOW_ALERT_WEBHOOK_RETRY_SECONDS": "0.05",
        "COMFYSTOW_ALERT_INTERVAL_SECONDS": "0.2",
        "COMFYSTOW_RETRY_BASE_SECONDS": "0.3",
        "COMFYSTOW_RETRY_LIMIT": "2",
        "COMFYSTOW_ALLOW_HOSTS": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    models, state = tmp_path / "models", tmp_path / "state"
    (models / "loras").mkdir(parents=True)
    try:
        with SyncEngineClient(state, load_settings()) as client:
            layout = to_json(bare_layout(models))
            client.introduce(lambda: {"server_id": "test", "url": "http://127.0.0.1:8188", "layout": layout})
            client.call("POST", "/downloads", {"source": "http://127.0.0.1:9/a.safetensors", "folder_name": "loras"})
            until(lambda: len(came) >= 2)
            firing = [row["name"] for row in client.call("GET", "/alerts")["alerts"] if row["firing"]]
            assert firing == ["DownloadFailed"]
            until(lambda: client.call("GET", "/alerts")["webhook"]["delivered"] == 1)
            assert url.removeprefix("http://127.0.0.1") not in json.dumps(client.call("GET", "/alerts"))
    finally:
        end_engines(state)
    (_, first), (signature, second) = came[:2]
    assert json.loads(first)["alert"] == json.loads(second)["alert"]
    sent_at, _, given = signature.removeprefix("t=").partition(",v1=")
    assert given == hmac.new(SECRET.encode(), f"{sent_at}.".encode() + second, hashlib.sha256).hexdigest()
    message = json.loads(second)
    assert message["status"] == "firing"
    assert message["alert"]["summary"].startswith("a download failed: ")
    log = (state / "engine.log").read_text()
    assert "alert DownloadFailed" in log
    assert SECRET not in log


def until(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
