"""Prompts are counted by their outcome, each once: on the entries as ComfyUI writes them, and in a real ComfyUI."""

from __future__ import annotations

import json
import time
import urllib.request

from comfystow.server_routes.prompts import PromptTally
from comfystow.server_routes.used_models import UsedModels
from support.comfyui import ComfyServer
from support.shelves import safetensors


def entry(event: str, seconds: float, status: str = "success") -> dict:
    messages = [
        ("execution_start", {"prompt_id": "p", "timestamp": 1_000_000}),
        ("execution_cached", {"nodes": [], "prompt_id": "p", "timestamp": 1_000_001}),
        (event, {"prompt_id": "p", "timestamp": 1_000_000 + seconds * 1000}),
    ]
    return {"outputs": {}, "status": {"status_str": status, "completed": status == "success", "messages": messages}}


def counted(tally: PromptTally, history: dict) -> dict[str, tuple[int, float]]:
    return {row.outcome: (row.count, row.seconds) for row in tally.look(history)}


def test_each_prompt_is_counted_once_by_how_it_ended() -> None:
    tally, history = PromptTally(), {"a": entry("execution_success", 2.5)}
    assert counted(tally, history) == {"success": (1, 2.5)}
    assert counted(tally, history) == {"success": (1, 2.5)}
    history["b"] = entry("execution_error", 1, "error")
    history["c"] = entry("execution_interrupted", 4, "error")
    history["d"] = entry("execution_success", 0.5)
    assert counted(tally, history) == {"success": (2, 3.0), "error": (1, 1.0), "interrupted": (1, 4.0)}


def test_cleared_history_loses_no_count() -> None:
    tally, history = PromptTally(), {"a": entry("execution_success", 1)}
    tally.look(history)
    history.clear()
    assert counted(tally, history) == {"success": (1, 1.0)}
    history["b"] = entry("execution_success", 1)
    assert counted(tally, history) == {"success": (2, 2.0)}


def test_removed_entry_makes_no_other_count_again() -> None:
    tally, history = PromptTally(), {name: entry("execution_success", 1) for name in "abc"}
    tally.look(history)
    del history["c"]
    assert counted(tally, history) == {"success": (3, 3.0)}
    history["d"] = entry("execution_success", 1)
    assert counted(tally, history) == {"success": (4, 4.0)}


def test_entry_that_is_not_as_expected_is_counted_and_breaks_nothing() -> None:
    history = {"a": {"status": None}, "b": None, "c": {"status": {"status_str": "error", "messages": [("x",)]}}}
    assert counted(PromptTally(), history) == {"unknown": (2, 0.0), "error": (1, 0.0)}


def test_real_comfyui_is_seen_by_a_scrape(server: ComfyServer) -> None:
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    get(server, "/comfystow/v1/metrics")  # attaches ComfyUI to an engine
    request = urllib.request.Request(
        f"{server.url}/prompt", json.dumps({"prompt": prompt}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["node_errors"] == {}
    deadline = time.monotonic() + 60
    while 'comfystow_comfyui_prompts_total{outcome="success",' not in (text := get(server, "/comfystow/v1/metrics")):
        assert time.monotonic() < deadline, text
        time.sleep(0.5)
    assert "comfystow_comfyui_prompt_seconds_total" in text
    assert "comfystow_disk_free_bytes" in text


def test_models_of_prompts_are_told_once_each() -> None:
    used = UsedModels()
    nodes = {
        "1": {"class_type": "VAELoader", "inputs": {"vae_name": "sub/a.safetensors", "other": 3}},
        "2": {"class_type": "LoraLoader", "inputs": {"lora_name": "b.pt", "model": ["1", 0], "text": "no file"}},
        "3": {"class_type": None, "inputs": None},
        "4": "odd",
    }
    running = {0: (1, "one", nodes, {}, [])}
    told = used.look(running, ())
    assert [(model.node_type, model.input_name, model.name) for model in told] == [
        ("VAELoader", "vae_name", "sub/a.safetensors"),
        ("LoraLoader", "lora_name", "b.pt"),
    ]
    assert used.look(running, ({"prompt": running[0]},)) == ()
    later = used.look({}, ({"prompt": [2, "two", {"1": nodes["1"]}]}, None, {"prompt": None}))
    assert [model.name for model in later] == ["sub/a.safetensors"]


def test_a_prompt_that_ran_is_the_last_use_of_its_models(server: ComfyServer) -> None:
    vae = server.models / "vae"
    vae.mkdir(exist_ok=True)
    (vae / "used.safetensors").write_bytes(safetensors())
    (vae / "idle.safetensors").write_bytes(safetensors(16))
    server.stow("POST", "/library/scan", {})
    before = time.time()
    # The node fails at loading it: asked for it was all the same.
    prompt = {
        "1": {"class_type": "VAELoader", "inputs": {"vae_name": "used.safetensors"}},
        "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "3": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": ["1", 0]}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    }
    request = urllib.request.Request(
        f"{server.url}/prompt", json.dumps({"prompt": prompt}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["node_errors"] == {}
    deadline = time.monotonic() + 60
    while True:
        rows = {row["name"]: row["last_used_at"] for row in server.stow("GET", "/library?folder=vae").json()["files"]}
        if rows.get("used.safetensors"):
            break
        assert time.monotonic() < deadline, rows
        time.sleep(0.3)
    assert rows["used.safetensors"] >= before
    assert rows.get("idle.safetensors") is None  # or not in the index yet: it may still be written


def get(server: ComfyServer, path: str) -> str:
    with urllib.request.urlopen(server.url + path, timeout=30) as answer:
        assert answer.headers.get_content_type() == "text/plain"
        return answer.read().decode()
