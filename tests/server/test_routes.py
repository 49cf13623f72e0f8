"""The routes inside a real ComfyUI: what is wrong is said with a hint and writes nothing; what is right arrives."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hub.server import Hub
from support.comfyui import ComfyServer

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(240)]

TAESD = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"
GOOD: dict[str, object] = {"source": TAESD, "folder_name": "vae"}


def written(server: ComfyServer) -> list[str]:
    """List the files under the models folder."""
    return sorted(str(path.relative_to(server.models)) for path in server.models.rglob("*") if path.is_file())


def until(server: ComfyServer, download_id: str, good: Callable[[dict[str, Any]], bool], seconds: float = 30) -> Any:
    """Follow a download until it looks as wanted."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        rows = server.stow("GET", "/downloads").json()["downloads"]
        row = next(row for row in rows if row["id"] == download_id)
        if good(row):
            return row
        time.sleep(0.05)
    raise AssertionError(f"it never came so far: {row}")


def forget(server: ComfyServer) -> None:
    """Remove the models, so that a download is fetched and not linked."""
    for path in server.models.rglob("*.safetensors"):
        path.unlink()


def done(row: dict[str, Any]) -> bool:
    return row["state"] == "completed"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nothing", None, 404, "not_found_here"),
        ("GET", "/downloads/../../../queue", None, 404, "not_found_here"),
        ("DELETE", "/downloads", {}, 405, "method_not_allowed"),
        ("POST", "/engine/stop", {}, 404, "not_found_here"),
        ("GET", "/events", None, 404, "not_found_here"),
        ("POST", "/host/attach", {"server_id": "me"}, 404, "not_found_here"),
        ("POST", "/downloads/nobody/pause", {}, 404, "not_found_here"),
        ("PATCH", "/downloads/nobody", {"position": 0}, 404, "not_found_here"),
        ("POST", "/downloads", {}, 400, "usage"),
        ("POST", "/downloads", [], 400, "usage"),
        ("POST", "/downloads", b"{", 400, "usage"),
        ("POST", "/downloads", b"[" * 100_000, 400, "usage"),
        ("POST", "/downloads", {"source": 5}, 400, "usage"),
        ("POST", "/downloads", {**GOOD, "dest": "/etc"}, 400, "usage"),
        ("POST", "/downloads", {**GOOD, "sha256": "123"}, 400, "usage"),
        ("POST", "/downloads", {**GOOD, "connections": 0}, 400, "usage"),
        ("POST", "/downloads", {**GOOD, "connections": True}, 400, "usage"),
        ("POST", "/downloads", {**GOOD, "source": "x" * 5000}, 400, "usage"),
        ("POST", "/downloads", {**GOOD, "source": "what is this"}, 400, "invalid_reference"),
        ("POST", "/downloads", {**GOOD, "source": "file:///etc/passwd"}, 400, "usage"),
        ("POST", "/downloads", {**GOOD, "folder_name": "nonsense"}, 400, "unknown_folder"),
        ("POST", "/downloads", {**GOOD, "folder_name": "custom_nodes"}, 400, "unknown_folder"),
        ("POST", "/downloads", {**GOOD, "folder_name": "../vae"}, 400, "unknown_folder"),
        ("POST", "/downloads", {**GOOD, "filename": "../x.safetensors"}, 400, "invalid_name"),
        ("POST", "/downloads", {**GOOD, "filename": "/tmp/x.safetensors"}, 400, "invalid_name"),
        ("POST", "/downloads", {**GOOD, "subfolder": "a/../../b"}, 400, "invalid_name"),
        ("POST", "/downloads", {**GOOD, "filename": "x.py"}, 400, "forbidden_type"),
        ("POST", "/downloads", {**GOOD, "filename": "x.ckpt"}, 400, "forbidden_type"),
        ("POST", "/downloads", {**GOOD, "source": "https://evil.example/x.safetensors"}, 403, "host_not_allowed"),
        ("POST", "/downloads", {**GOOD, "source": "http://169.254.169.254/x.safetensors"}, 403, "host_not_allowed"),
        ("POST", "/downloads", {**GOOD, "source": "http://127.0.0.1:1/x.safetensors"}, 403, "host_not_allowed"),
        ("POST", "/workflow/missing", {}, 400, "usage"),
        ("PUT", "/settings", {"settings": {"allow_remote": True}}, 400, "bad_setting"),
        ("PUT", "/settings", {"settings": {"parallel_downloads": "many"}}, 400, "bad_setting"),
        ("PUT", "/settings", {"settings": {"retry_limit": 5}}, 400, "bad_setting"),  # the environment holds it
        ("GET", "/credentials/nobody", None, 400, "usage"),
    ],
)
def test_a_wrong_request_gets_its_error_and_writes_nothing(
    server: ComfyServer, hub: Hub, method: str, path: str, body: object, status: int, code: str
) -> None:
    reply = server.stow(method, path, body, headers={"Content-Type": "application/json"})
    error = reply.json()["error"]
    assert (reply.status, error["code"]) == (status, code)
    assert error["message"]
    if code not in {"usage", "not_found_here", "method_not_allowed"}:
        assert error["hint"]
    assert server.stow("GET", "/downloads").json() == {"downloads": []}
    assert written(server) == []
    assert hub.requests() == []  # nobody else was asked either


def test_a_body_without_end_is_refused(server: ComfyServer) -> None:
    reply = server.stow("POST", "/downloads", json.dumps({**GOOD, "source": "x" * (2 << 20)}).encode())
    assert reply.status == 400
    assert "larger than" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "state", "code"),
    [
        ({**GOOD, "source": "hf://Comfy-Stow/taesd-demo/nothing.safetensors"}, "failed", "not_found_at_source"),
        ({**GOOD, "source": "hf://Comfy-Stow/gated-demo/stow_gated.safetensors"}, "waiting", "token_required"),
        ({**GOOD, "sha256": "0" * 64}, "failed", "checksum_mismatch"),
        ({"source": "hf://me/plain/odd.safetensors"}, "failed", "folder_unknown"),
    ],
)
def test_what_only_the_source_can_say_stands_in_the_queue(
    server: ComfyServer, hub: Hub, body: dict[str, object], state: str, code: str
) -> None:
    hub.add_file("me/plain", "odd.safetensors", size_bytes=1 << 16)
    taken = server.stow("POST", "/downloads", body)
    assert taken.status == 202
    row = until(server, taken.json()["id"], lambda row: row["state"] == state)
    assert row["error"]["code"] == code
    assert row["error"]["hint"]
    assert written(server) == []
    if state == "waiting":
        assert row["waiting_for"] == "token"
        assert server.stow("POST", f"/downloads/{row['id']}/cancel", {}).json()["state"] == "cancelled"


def test_a_dead_hub_fails_the_download_and_a_living_one_brings_it(server: ComfyServer, hub: Hub) -> None:
    body = {**GOOD, "filename": "later.safetensors"}
    hub.kill()
    try:
        taken = server.stow("POST", "/downloads", body).json()
        row = until(server, taken["id"], lambda row: row["state"] == "failed")
    finally:
        hub.start()
    assert row["error"]["code"] == "connect_failed"
    assert row["error"]["hint"]
    assert written(server) == []
    assert server.stow("POST", f"/downloads/{taken['id']}/retry", {}).status == 200
    until(server, taken["id"], done)


def test_what_does_not_fit_waits_and_writes_nothing_until_it_does(server: ComfyServer, hub: Hub) -> None:
    forget(server)
    before = written(server)
    server.stow("PUT", "/settings", {"settings": {"free_space_floor_bytes": 10**17}})
    taken = server.stow("POST", "/downloads", {**GOOD, "filename": "fits.safetensors"}).json()
    row = until(server, taken["id"], lambda row: row["state"] == "waiting")
    assert row["waiting_for"] == "space"
    assert row["error"]["code"] == "not_enough_space"
    assert row["error"]["hint"]
    assert str(server.models) not in json.dumps(row)
    assert written(server) == before
    server.stow("PUT", "/settings", {"settings": {"free_space_floor_bytes": 0}})
    until(server, taken["id"], done)
    server.stow("PUT", "/settings", {"settings": {"free_space_floor_bytes": None}})


def test_a_loader_lists_the_new_file_at_once(server: ComfyServer, hub: Hub) -> None:
    def choices() -> list[str]:
        node = server.request("GET", "/object_info/VAELoader").json()["VAELoader"]
        return list(node["input"]["required"]["vae_name"][0])

    assert "taesd.safetensors" not in choices()
    taken = server.stow("POST", "/downloads", GOOD)
    assert taken.status == 202
    row = until(server, taken.json()["id"], done)
    assert row["verified"] == "digest"
    assert "taesd.safetensors" in choices()
    again = server.stow("POST", "/downloads", GOOD)
    assert (again.status, again.json()["id"], again.json()["state"]) == (202, row["id"], "completed")


def test_a_plan_names_place_and_size_but_no_path(server: ComfyServer, hub: Hub) -> None:
    reply = server.stow("POST", "/plan", {"downloads": [{**GOOD, "filename": "plan.safetensors"}]})
    assert reply.status == 200
    plan = reply.json()
    assert plan["items"][0]["size_bytes"] > 4_000_000
    assert plan["items"][0]["folder_name"] == "vae"
    assert plan["fits"] is True
    assert str(server.models).encode() not in reply.body


@pytest.mark.parametrize("word", ["#tag", "50%", "%41", "a&b", "a+b", "ключ"])
def test_a_query_reaches_the_engine_as_it_was_written(server: ComfyServer, word: str) -> None:
    reply = server.stow("GET", f"/library?sort={quote(word, safe='')}")
    assert reply.json()["error"]["message"] == f"`{word}` is no order"


def test_settings_are_changed_and_kept(server: ComfyServer) -> None:
    assert server.stow("PUT", "/settings", {"settings": {"parallel_downloads": 5}}).status == 200
    shown = {row["name"]: row for row in server.stow("GET", "/settings").json()["settings"]}
    assert shown["parallel_downloads"]["value"] == 5
    assert shown["retry_limit"]["set_by"] == "COMFYSTOW_RETRY_LIMIT"
    assert "allow_remote" not in shown
    assert json.loads((server.state_dir / "settings.json").read_text()) == {"parallel_downloads": 5}
    assert server.stow("PUT", "/settings", {"settings": {"parallel_downloads": None}}).status == 200


def test_a_token_goes_in_and_never_comes_out(server: ComfyServer, hub: Hub) -> None:
    body = {"source": "hf://Comfy-Stow/gated-demo/stow_gated.safetensors", "folder_name": "vae"}
    taken = server.stow("POST", "/downloads", body).json()
    until(server, taken["id"], lambda row: row["state"] == "waiting")
    assert server.stow("GET", "/credentials/huggingface").json()["is_set"] is False
    reply = server.stow("PUT", "/credentials/huggingface", {"token": hub.hf_token})
    assert (reply.status, reply.json()["is_set"]) == (200, True)
    until(server, taken["id"], done)
    everything = [reply] + [
        server.stow("GET", path) for path in ("/credentials/huggingface", "/downloads", "/settings", "/openapi.json")
    ]
    assert all(hub.hf_token.encode() not in answer.body for answer in everything)
    assert (server.state_dir / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert server.stow("DELETE", "/credentials/huggingface", {}).json()["is_set"] is False
    assert hub.hf_token not in server.log


def test_routes_work_again_after_the_engine_was_killed(server: ComfyServer, hub: Hub) -> None:
    forget(server)
    hub.fault("rate", file="taesd*", bytes_per_second=200_000)
    taken = server.stow("POST", "/downloads", {**GOOD, "filename": "killed.safetensors", "subfolder": "k"}).json()
    until(server, taken["id"], lambda row: row["bytes_done"] > 0)
    published = next(Path(server.env["COMFYSTOW_RUN_DIR"]).rglob("engine.json"))
    engine = json.loads(published.read_text())["pid"]
    os.kill(engine, signal.SIGKILL)
    rows = server.stow("GET", "/downloads").json()["downloads"]
    assert taken["id"] in {row["id"] for row in rows}
    assert json.loads(published.read_text())["pid"] != engine
    hub.clear_faults()
    until(server, taken["id"], done)
    assert (server.models / "vae" / "k" / "killed.safetensors").stat().st_size == 4_903_146


def test_nothing_of_ours_runs_before_somebody_asks(start_comfy: Callable[..., ComfyServer]) -> None:
    server = start_comfy()
    times = server.import_times()["comfystow"]
    assert not times.failed
    assert not list(Path(server.env["COMFYSTOW_RUN_DIR"]).rglob("engine.json"))
    assert not server.state_dir.exists() or not list(server.state_dir.iterdir())
    assert server.stow("GET", "/downloads").status == 200
    assert list(Path(server.env["COMFYSTOW_RUN_DIR"]).rglob("engine.json"))
