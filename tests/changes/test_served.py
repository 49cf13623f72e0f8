"""The routes of changes over a real engine: what callers on other machines see and may do, jobs, events."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.core.config import load_settings
from comfystow.core.engine.connection import connect, headers_for, send
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.errors import StowError
from support.engines import served
from support.models import write_lora, write_still


@pytest.fixture
def client(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncEngineClient]:
    """Give a client of an engine over `tmp_path/models`."""
    with served(tmp_path, tmp_path_factory.mktemp("r")) as opened:
        yield opened


def from_elsewhere(client: SyncEngineClient, method: str, path: str, body: object = None) -> tuple[int, dict]:
    """Ask as ComfyUI's server does for a page on another machine."""
    with contextlib.closing(connect(client.engine.info, 30)) as connection:
        return send(connection, method, path, body, headers_for(client.engine.info, {}))


def test_other_machines_see_names_and_name_files_by_ids(client: SyncEngineClient, tmp_path: Path) -> None:
    lora = write_lora(tmp_path / "models" / "loras" / "sub" / "x.safetensors")
    client.call("POST", "/library/scan")
    file_id = client.call("GET", "/library")["files"][0]["id"]
    status, plan = from_elsewhere(client, "POST", "/library/delete", {"ids": [file_id]})
    assert (status, plan["actions"][0]["from"], plan["actions"][0]["to"].split("/")[0]) == (
        200,
        "loras/sub/x.safetensors",
        "trash",
    )
    status, done = from_elsewhere(client, "POST", "/library/delete", {"apply": plan["id"]})
    assert (status, done["state"], done["done"], done["undoable"]) == (200, "applied", 1, True)
    assert not lora.exists()
    assert client.call("GET", "/library")["files"] == []
    for path in ("/library/trash", "/library/changes", f"/library/changes/{plan['id']}?rows=all"):
        status, told = from_elsewhere(client, "GET", path)
        assert status == 200
        assert str(tmp_path) not in json.dumps(told)
    status, answer = from_elsewhere(client, "POST", "/library/delete", {"paths": [str(lora)]})
    assert (status, answer["error"]["code"]) == (403, "access_denied")
    status, undone = from_elsewhere(client, "POST", "/library/undo", {})
    assert (status, undone["kind"], undone["undoes"]) == (200, "undo", plan["id"])
    assert lora.exists()
    assert len(client.call("GET", "/library")["files"]) == 1


def test_an_answer_lists_what_is_not_done_and_all_when_asked(client: SyncEngineClient, tmp_path: Path) -> None:
    downloads = tmp_path / "downloads"
    whole, changed = write_lora(downloads / "a.safetensors"), write_lora(downloads / "b.safetensors", seed=2)
    damaged = write_still(downloads / "c.safetensors", b"\x00" * 100)
    (tmp_path / "models" / "loras").mkdir(parents=True)
    plan = client.call("POST", "/library/organise", {"directory": str(downloads)})
    assert [row["from"] for row in plan["actions"]] == [str(whole), str(changed), str(damaged)]
    write_lora(changed, seed=3)
    done = client.call("POST", "/library/organise", {"apply": plan["id"]})
    assert (done["total"], done["done"], done["skipped"], done["conflicts"]) == (2, 1, 1, 1)
    assert [(row["from"], row["step"]) for row in done["actions"]] == [(str(changed), "skipped")]
    assert client.call("GET", f"/library/changes/{plan['id']}") == done
    every = client.call("GET", f"/library/changes/{plan['id']}?rows=all")
    assert [row["step"] for row in every["actions"]] == ["done", "skipped", "planned"]
    assert {**every, "actions": None} == {**done, "actions": None}
    with pytest.raises(StowError) as caught:
        client.call("GET", f"/library/changes/{plan['id']}?rows=some")
    assert caught.value.code == "usage"
    assert client.call("POST", "/library/undo", {"id": plan["id"]})["actions"] == []
    assert not (tmp_path / "models" / "loras" / "a.safetensors").exists()


def test_other_machines_look_only_into_comfyui(client: SyncEngineClient, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write_lora(outside / "x.safetensors")
    for body in ({"directory": str(outside)}, {"directory": str(tmp_path / "models" / ".." / "outside")}):
        status, answer = from_elsewhere(client, "POST", "/library/organise", body)
        assert (status, answer["error"]["code"]) == (403, "access_denied")
    status, _answer = from_elsewhere(client, "POST", "/library/dedupe", {"directories": [str(outside)]})
    assert status == 403
    status, plan = from_elsewhere(client, "POST", "/library/organise", {"directory": str(tmp_path / "models")})
    assert (status, plan["actions"]) == (200, [])


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/library/organise", {}, "usage"),
        ("/library/organise", {"directory": "relative"}, "usage"),
        ("/library/organise", {"directory": "/nowhere/at/all"}, "usage"),
        ("/library/organise", {"directory": "/tmp", "link": "glue"}, "usage"),
        ("/library/organise", {"apply": True}, "usage"),
        ("/library/organise", {"apply": ["x"]}, "usage"),
        ("/library/organise", {"apply": "no such plan"}, "not_found_here"),
        ("/library/organise", {"path": "/tmp"}, "usage"),
        ("/library/dedupe", {"directories": ["/nowhere/at/all"]}, "usage"),
        ("/library/delete", {}, "usage"),
        ("/library/delete", {"ids": [99]}, "not_found_here"),
        ("/library/delete", {"paths": ["/etc/passwd"]}, "usage"),
        ("/library/prune", {}, "usage"),
        ("/library/prune", {"to_bytes": -1}, "usage"),
        ("/library/undo", {}, "conflict"),
        ("/library/undo", {"id": "nothing"}, "not_found_here"),
        ("/library/trash/empty", {"changes": 3}, "usage"),
    ],
)
def test_a_wrong_wish_is_refused(shared: SyncEngineClient, path: str, body: dict, code: str) -> None:
    with pytest.raises(StowError) as caught:
        shared.call("POST", path, body)
    assert caught.value.code == code


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncEngineClient]:
    """Give a client of an engine with an empty library."""
    with served(tmp_path_factory.mktemp("shared"), tmp_path_factory.mktemp("r")) as opened:
        yield opened


def test_events_tell_how_far_a_change_is_without_paths(client: SyncEngineClient, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "Downloads"
    for number in range(3):
        write_lora(folder / f"{number}.safetensors", seed=number)
    seen: list[dict] = []

    def follow() -> None:
        with SyncEngineClient(tmp_path / "state", load_settings()) as listener:
            for event in listener.events():
                seen.append(event)
                if event["data"].get("change", {}).get("state") == "over" and len(seen) > 2:
                    return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    time.sleep(0.5)
    plan = client.call("POST", "/library/organise", {"directory": str(folder)})
    client.call("POST", "/library/organise", {"apply": plan["id"]})
    thread.join(20)
    changes = [event["data"]["change"] for event in seen if "change" in event.get("data", {})]
    assert {change["id"] for change in changes} == {plan["id"]}
    assert {change["state"] for change in changes} >= {"planning", "over"}
    assert str(tmp_path) not in json.dumps(seen)


def sparse_model(path: Path, size_bytes: int) -> None:
    """Write a model of one tensor that takes no space, and long to read."""
    tensor = {"a": {"dtype": "U8", "shape": [size_bytes], "data_offsets": [0, size_bytes]}}
    header = json.dumps(tensor).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + size_bytes)
    os.utime(path, (1.7e9, 1.7e9))  # what changed just now may still be written


def cancelled_dedupe(client: SyncEngineClient, state: Path) -> tuple[str, dict, list[object]]:
    """Ask for a plan and cancel it as soon as it is listed: its id, what cancel answered, what the asker got."""
    answers: list[object] = []

    def ask() -> None:
        with SyncEngineClient(state, load_settings()) as other:
            try:
                answers.append(other.call("POST", "/library/dedupe", {}))
            except StowError as err:
                answers.append(err)

    thread = threading.Thread(target=ask)
    thread.start()
    while not (running := client.call("GET", "/library/changes")["running"]) and thread.is_alive():
        time.sleep(0.01)
    cancelled = client.call("POST", f"/library/changes/{running[0]['id']}/cancel")
    thread.join(20)
    return running[0]["id"], cancelled, answers


def test_a_plan_that_takes_long_is_stopped(client: SyncEngineClient, tmp_path: Path) -> None:
    for name in ("a", "b"):
        sparse_model(tmp_path / "models" / "vae" / f"{name}.safetensors", 16 << 30)
    client.call("POST", "/library/scan")
    identity, answer, (error,) = cancelled_dedupe(client, tmp_path / "state")
    assert (answer["state"], answer["kind"]) == ("planning", "dedupe")
    assert isinstance(error, StowError)
    assert (error.code, "stopped while it was planned" in str(error)) == ("conflict", True)
    with pytest.raises(StowError) as caught:
        client.call("GET", f"/library/changes/{identity}")
    assert caught.value.code == "conflict"
    assert client.call("GET", "/library/changes") == {"changes": [], "running": [], "undo": None}
    with pytest.raises(StowError) as caught:
        client.call("POST", "/library/changes/nothing/cancel")
    assert caught.value.code == "not_found_here"


def test_not_enough_space_is_told_before_anything_is_copied(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, far: Path
) -> None:
    monkeypatch.setenv("COMFYSTOW_FREE_SPACE_FLOOR_BYTES", str(1 << 60))
    write_lora(far / "x.safetensors")
    with served(tmp_path, tmp_path_factory.mktemp("r")) as client:
        plan = client.call("POST", "/library/organise", {"directory": str(far), "link": "copy"})
        with pytest.raises(StowError) as caught:
            client.call("POST", "/library/organise", {"apply": plan["id"]})
        assert (caught.value.code, caught.value.exit_code) == ("not_enough_space", 5)
        assert os.listdir(tmp_path / "models") == []
