"""What the engine answers, and what it refuses."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.engine.connection import connect, headers_for
from comfystow.core.engine.handlers import HANDLERS
from comfystow.core.engine.openapi import document
from comfystow.core.engine.routes import ROUTES, Where
from comfystow.core.engine.sync_client import SyncEngineClient
from support.engines import wait_for

OpenClient = Callable[..., SyncEngineClient]
HF = "hf://a/b/c.safetensors"


@pytest.fixture
def client(open_client: OpenClient) -> SyncEngineClient:
    return open_client()


def _raw(
    client: SyncEngineClient, method: str, path: str, body: bytes, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    info = client.engine.info
    connection = connect(info, 20)
    try:
        connection.request(method, path, body=body, headers={**headers_for(info), **(headers or {})})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _error(answer: tuple[int, Any]) -> tuple[int, str]:
    status, body = answer
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "hint", "retryable"}
    return status, body["error"]["code"]


# The table


def test_every_row_of_the_engine_has_its_handler_and_no_handler_is_left_over() -> None:
    rows = {route.name for route in ROUTES if route.where is Where.ENGINE and route.name != "events"}
    assert rows == set(HANDLERS)


def test_no_two_rows_are_the_same() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len({route.name for route in ROUTES}) == len(ROUTES)


def test_get_takes_no_body_and_changes_are_no_get() -> None:
    assert [route.name for route in ROUTES if route.method == "GET" and (route.changes or route.request)] == []


def test_openapi_describes_all_that_a_browser_may_ask(shared_client: SyncEngineClient) -> None:
    served = shared_client.call("GET", "/openapi.json")
    described = {(method.upper(), path) for path, row in served["paths"].items() for method in row}
    assert described == {(route.method, route.path) for route in ROUTES if not route.internal}
    body = served["paths"]["/downloads"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/DownloadRequest"}
    assert served["components"]["schemas"]["DownloadRequest"]["required"] == ["source"]
    assert served == json.loads(json.dumps(document(served["info"]["version"])))


# Requests that cannot be


def test_unknown_routes_and_methods_are_errors_of_ours(shared_client: SyncEngineClient) -> None:
    assert _error(shared_client.request("GET", "/nothing")) == (404, "not_found_here")
    assert _error(shared_client.request("DELETE", "/downloads")) == (405, "method_not_allowed")
    assert _error(shared_client.request("GET", "/downloads/1/pause")) == (405, "method_not_allowed")
    assert _error(shared_client.request("POST", "/downloads/..%2f..%2fetc/pause")) == (404, "not_found_here")


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b'{"source": 1}', b'{"source": "x", "extra": 1}', b"{}", b"\xff", b"[" * 100_000]
)
def test_wrong_bodies_are_refused_and_leave_nothing(shared_client: SyncEngineClient, body: bytes) -> None:
    assert _error(_raw(shared_client, "POST", "/downloads", body)) == (400, "usage")
    assert shared_client.call("GET", "/downloads") == {"downloads": []}


def test_body_beyond_the_limit_is_refused_with_or_without_a_length(shared_client: SyncEngineClient) -> None:
    big = b'{"source": "' + b"x" * (2 << 20) + b'"}'
    assert _error(_raw(shared_client, "POST", "/downloads", big)) == (400, "usage")
    chunked = {"Transfer-Encoding": "chunked"}
    data = b"%x\r\n%s\r\n0\r\n\r\n" % (len(big), big)
    assert _error(_raw(shared_client, "POST", "/downloads", data, chunked)) == (400, "usage")


@pytest.mark.parametrize("source", ["not a reference", "ftp://a/b", "hf://", "../../etc/passwd", ""])
def test_references_that_name_nothing_are_refused_with_a_hint(shared_client: SyncEngineClient, source: str) -> None:
    status, body = shared_client.request("POST", "/downloads", {"source": source, "folder_name": "loras"})
    assert status == 400
    assert body["error"]["hint"]
    assert shared_client.call("GET", "/downloads") == {"downloads": []}


def test_unknown_download_is_not_found(shared_client: SyncEngineClient) -> None:
    assert _error(shared_client.request("GET", "/downloads/nothing")) == (404, "not_found_here")
    for verb in ("pause", "resume", "cancel", "retry"):
        assert _error(shared_client.request("POST", f"/downloads/nothing/{verb}")) == (404, "not_found_here")
    assert _error(shared_client.request("PATCH", "/downloads/nothing", {"position": 0})) == (404, "not_found_here")
    limit = {"limit_rate_bytes_per_second": 1_000_000}
    assert _error(shared_client.request("PATCH", "/downloads/nothing", limit)) == (404, "not_found_here")


def test_garbage_on_the_socket_harms_nobody(shared_client: SyncEngineClient) -> None:
    path = shared_client.engine.info.socket
    assert path is not None
    for garbage in (
        b"\x00" * 5000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /downloads HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(10)
            raw.connect(path)
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            assert not raw.recv(100).startswith(b"HTTP/1.1 2")
    assert shared_client.call("GET", "/downloads") == {"downloads": []}


# The queue


def test_same_request_twice_is_one_download(client: SyncEngineClient) -> None:
    status, first = client.request("POST", "/downloads", {"source": HF, "folder_name": "loras"})
    assert status == 202
    assert client.call("POST", "/downloads", {"source": HF, "folder_name": "loras"})["id"] == first["id"]
    assert [row["id"] for row in client.call("GET", "/downloads")["downloads"]] == [first["id"]]
    assert client.call("GET", f"/downloads/{first['id']}")["created_at"] == first["created_at"]


def test_host_paths_are_for_callers_on_this_machine(client: SyncEngineClient) -> None:
    made = client.call("POST", "/downloads", {"source": HF, "folder_name": "loras"})
    assert "dest_path" in made
    status, rows = _raw(client, "GET", "/downloads", b"")
    assert status == 200
    assert all("dest_path" not in row and "session_id" not in row for row in rows["downloads"])


# Sessions


def _introduced(open_client: OpenClient, **session: object) -> SyncEngineClient:
    client = open_client()
    client.introduce(lambda: {"server_id": "host-1"} | session)
    return client


def test_session_lives_as_long_as_its_stream(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYSTOW_ENGINE_IDLE_SECONDS", "1")
    watcher = open_client().events()
    next(watcher)  # keeps the engine
    events = _introduced(open_client).events()
    next(events)
    other = open_client()
    assert other.call("GET", "/engine")["sessions"] == 1
    events.close()
    wait_for(lambda: other.call("GET", "/engine")["sessions"] == 0)
    watcher.close()


def test_forgotten_session_is_attached_again(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYSTOW_ENGINE_IDLE_SECONDS", "0.5")
    watcher = open_client().events()
    next(watcher)
    client, other = _introduced(open_client), open_client()
    client.call("GET", "/downloads")
    wait_for(lambda: other.call("GET", "/engine")["sessions"] == 0)
    client.call("GET", "/downloads")
    assert other.call("GET", "/engine")["sessions"] == 1
    watcher.close()


def test_command_does_not_lose_what_only_a_running_comfyui_knows(open_client: OpenClient, state_dir: Path) -> None:
    packs = {"ipadapter": {"directories": ["/m/ip"]}, "loras": {"directories": ["/old"]}}
    host = {"layout": {"base_path": "/m", "folders": packs}, "node_inputs": {"Node": {"name": "loras"}}}
    _introduced(open_client, **host).call("GET", "/downloads")
    command = {"server_id": "command-1", "layout": {"base_path": "/m", "folders": {"loras": {"directories": ["/new"]}}}}
    _introduced(open_client, **command).call("GET", "/downloads")
    kept = json.loads((state_dir / "layout.json").read_text())
    assert kept["node_inputs"] == host["node_inputs"]
    directories = {name: folder["directories"] for name, folder in kept["layout"]["folders"].items()}
    assert directories == {"ipadapter": ["/m/ip"], "loras": ["/new"]}


@pytest.mark.parametrize(
    "body", [{"server_id": ""}, {"server_id": "x" * 300}, {}, {"server_id": "a", "layout": {"folders": 1}}]
)
def test_session_that_says_nothing_usable_is_refused(shared_client: SyncEngineClient, body: dict[str, object]) -> None:
    assert _error(shared_client.request("POST", "/host/attach", body)) == (400, "usage")


def test_tokens_of_a_session_are_written_nowhere(open_client: OpenClient, state_dir: Path) -> None:
    client = _introduced(open_client, environment={"HF_TOKEN": "hf_verysecretvalue"})
    client.call("POST", "/downloads", {"source": HF, "folder_name": "loras"})
    answer = client.call("GET", "/credentials/huggingface")
    assert answer["is_set"] is True
    assert "verysecret" not in json.dumps(answer)
    assert client.stop(reason="test")
    files = [path for path in state_dir.rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if b"verysecret" in path.read_bytes()] == []


# Tokens


def test_token_goes_in_and_never_comes_out(client: SyncEngineClient, state_dir: Path) -> None:
    answer = client.call("PUT", "/credentials/huggingface", {"token": "hf_abcdefgh12345678"})
    assert answer == {"provider": "huggingface", "is_set": True, "origin": "credentials.json"}
    assert (state_dir / "credentials.json").stat().st_mode & 0o077 == 0
    assert client.call("GET", "/credentials/huggingface") == answer
    assert client.call("DELETE", "/credentials/huggingface")["is_set"] is False
    assert _error(client.request("PUT", "/credentials/nobody", {"token": "x"})) == (400, "usage")
    assert _error(client.request("PUT", "/credentials/huggingface", {"token": "two words"})) == (400, "usage")


# Events


def test_stream_tells_a_change_and_shows_no_host_path(open_client: OpenClient) -> None:
    watcher = open_client().events()
    assert next(watcher) == {"topic": "hello", "data": {}}
    made = open_client().call("POST", "/downloads", {"source": HF, "folder_name": "loras"})
    event = next(event for event in watcher if event["topic"] == "downloads")
    row = event["data"]["downloads"][0]
    assert row["id"] == made["id"]
    assert "dest_path" not in row
    assert "session_id" not in row
    watcher.close()


def test_listener_that_does_not_read_hinders_nobody(client: SyncEngineClient) -> None:
    info = client.engine.info
    lazy = connect(info, 20)
    lazy.request("GET", "/events", headers=headers_for(info))
    assert lazy.getresponse().status == http.client.OK  # and reads no more
    for number in range(40):
        client.call("POST", "/downloads", {"source": HF.replace("c.safe", f"c{number}.safe"), "folder_name": "loras"})
    assert len(client.call("GET", "/downloads")["downloads"]) == 40
    lazy.close()
