"""What a script without a browser asks of a running ComfyUI: ensure as a job, candidates, relink, embed, locks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hub.server import Hub
from support.comfyui import ComfyServer

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(240)]


def a_prompt(*names: str) -> dict[str, Any]:
    return {
        str(number): {"class_type": "VAELoader", "inputs": {"vae_name": name}} for number, name in enumerate(names, 1)
    }


def a_workflow(hub: Hub, *names: str) -> dict[str, Any]:
    base = f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main"
    nodes = [
        {
            "id": number,
            "type": "VAELoader",
            "widgets_values": [name],
            "properties": {"models": [{"name": name, "directory": "vae", "url": f"{base}/taesd.safetensors"}]},
        }
        for number, name in enumerate(names, 1)
    ]
    return {"nodes": nodes, "links": [], "version": 0.4}


def done(server: ComfyServer, job: dict[str, Any]) -> dict[str, Any]:
    answer = server.stow("GET", f"/workflow/ensure/{job['id']}?wait=30")
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def test_prompt_with_its_workflow_becomes_a_job_that_brings_what_is_sure(server: ComfyServer, hub: Hub) -> None:
    workflow = a_workflow(hub, "job-one.safetensors", "job-two.safetensors")
    prompt = a_prompt("job-one.safetensors", "job-two.safetensors", "stow_style_v1.safetensors")
    answer = server.stow("POST", "/workflow/ensure", {"prompt": prompt, "workflow": workflow})
    assert answer.status == 202
    job = answer.json()
    assert [row["filename"] for row in job["requests"]] == ["job-one.safetensors", "job-two.safetensors"]
    (choice,) = job["choices"]
    assert (choice["name"], choice["path"]) == ("stow_style_v1.safetensors", None)
    assert choice["candidates"][0]["confidence"] == "guess"  # the find is a LoRA, and a VAE is wanted
    over = done(server, job)
    assert (over["state"], {row["state"] for row in over["downloads"]}) == ("incomplete", {"completed"})
    assert (server.models / "vae" / "job-two.safetensors").is_file()

    again = server.stow("POST", "/workflow/ensure", {"prompt": a_prompt("job-one.safetensors")}).json()
    assert (again["state"], again["present"], again["downloads"]) == ("completed", 1, [])


def test_job_that_is_only_planned_brings_nothing(server: ComfyServer, hub: Hub) -> None:
    body = {"workflow": a_workflow(hub, "planned.safetensors"), "apply": False, "fit": True, "facts": {"vram_gb": 8}}
    job = server.stow("POST", "/workflow/ensure", body).json()
    assert (job["id"], job["state"], job["fit"]["verdict"]) == (None, "planned", "fits")
    assert not (server.models / "vae" / "planned.safetensors").exists()


def test_job_whose_download_fails_says_so(server: ComfyServer, hub: Hub) -> None:
    workflow = a_workflow(hub, "fails.safetensors")
    workflow["nodes"][0]["properties"]["models"][0]["url"] = (
        f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/no.safetensors"
    )
    over = done(server, server.stow("POST", "/workflow/ensure", {"workflow": workflow}).json())
    assert (over["state"], over["downloads"][0]["error"]["code"]) == ("failed", "not_found_at_source")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/workflow/ensure", {}, 400, "usage"),
        ("POST", "/workflow/ensure", {"workflow": [1]}, 400, "bad_workflow"),
        ("POST", "/workflow/ensure", {"manifest": "version: 1\nmodel: []\n"}, 400, "bad_manifest"),
        ("POST", "/workflow/ensure", {"manifest": "version: 1", "lock": "version: 1"}, 400, "usage"),
        ("POST", "/workflow/ensure", {"manifest": "version: 1\nmodels: [{workflow: w.json}]\n"}, 400, "bad_manifest"),
        ("POST", "/workflow/ensure", {"manifest": "version: 1", "facts": {"vram": 3}}, 400, "usage"),
        ("GET", "/workflow/ensure/nobody", None, 404, "not_found_here"),
        ("GET", "/workflow/ensure/nobody?wait=1e9", None, 404, "not_found_here"),
        ("POST", "/workflow/candidates", {}, 400, "usage"),
        ("POST", "/workflow/relink", {}, 400, "usage"),
        ("POST", "/workflow/embed", {"prompt": {"1": {"class_type": "VAELoader", "inputs": {}}}}, 400, "bad_workflow"),
        ("POST", "/manifest/lock", {}, 400, "usage"),
        ("POST", "/manifest/check", {"lock": "version: 2\n"}, 400, "bad_manifest"),
        ("POST", "/manifest/sync", {"lock": "version: 1\nmodels: [{source: x}]\n"}, 400, "bad_manifest"),
        ("POST", "/manifest/write", {}, 400, "usage"),
        ("POST", "/manifest/write", {"library": True, "workflow": {"nodes": []}}, 400, "usage"),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(
    server: ComfyServer, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = server.stow(method, path, body)
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)


def test_one_model_is_looked_up_on_the_hubs(server: ComfyServer) -> None:
    body = {"name": "stow_style_v1.safetensors", "folder_name": "loras"}
    found = server.stow("POST", "/workflow/candidates", body).json()
    assert found["errors"] == {}
    assert (found["candidates"][0]["source"], found["candidates"][0]["confidence"]) == (
        "civitai://1001@2000?file=3000",
        "likely",
    )


def test_lock_is_synced_as_a_job_and_workflows_come_back_changed(server: ComfyServer, hub: Hub) -> None:
    workflow = a_workflow(hub, "locked.safetensors")
    answer = server.stow("POST", "/manifest/lock", {"workflow": workflow}).json()
    assert answer["failed"] == []
    state = server.stow("POST", "/manifest/check", {"lock": answer["lock"]}).json()
    assert (state["in_sync"], state["entries"][0]["state"]) == (False, "missing")
    assert {row["path"] for row in (*state["entries"], *state["extra"])} == {None}
    over = done(server, server.stow("POST", "/manifest/sync", {"lock": answer["lock"]}).json())
    assert over["state"] == "completed"
    assert server.stow("POST", "/manifest/check", {"lock": answer["lock"]}).json()["in_sync"] is True

    workflow["nodes"][0]["properties"] = {}
    embedded = server.stow("POST", "/workflow/embed", {"workflow": workflow}).json()
    assert embedded["written"] == 1
    assert embedded["models"][0]["hash"] == answer["entries"][0]["sha256"]
    place = Path(server.models) / "vae"
    (place / "sub").mkdir()
    (place / "locked.safetensors").rename(place / "sub" / "locked.safetensors")
    assert (
        server.stow("POST", "/library/scan", {}).status == 200
    )  # two files have these bytes: which one moved, it knows
    relinked = server.stow("POST", "/workflow/relink", {"workflow": embedded["document"]}).json()
    assert relinked["renames"] == [{"from": "locked.safetensors", "to": "sub/locked.safetensors", "nodes": ["1"]}]
    assert "sub/locked.safetensors" in json.dumps(relinked["document"])
    manifest = server.stow("POST", "/manifest/write", {"library": True}).json()
    assert manifest["with_source"] >= 0
