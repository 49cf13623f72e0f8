"""The nodes on a real ComfyUI without a browser: every prompt goes through `POST /prompt`."""

from __future__ import annotations

import json
import time

import pytest
from safetensors.numpy import load, save
from support.comfyui import hub_environment
from support.prompts import TAESD, assert_image, downloads, one, outcome, preview, run, wait_for

pytestmark = pytest.mark.comfyui


def test_ensure_model_drives_a_stock_loader_into_a_new_subfolder(comfy_server, decode):
    prompt = decode("VAELoader", vae_name=["9", 0])
    prompt["9"] = {
        "class_type": "StowEnsureModel",
        "inputs": {"source": TAESD, "folder": "vae", "name": "fresh/sub/mine.safetensors"},
    }
    assert_image(comfy_server, comfy_server.run_prompt(prompt))
    assert (comfy_server.models / "vae" / "fresh" / "sub" / "mine.safetensors").is_file()
    assert one(comfy_server, "mine.safetensors")["verified"] == "digest"
    assert not list(comfy_server.models.rglob("*.part*"))


@pytest.mark.parametrize("right", [True, False])
def test_a_digest_must_match_when_it_is_given(comfy_server, hub, decode, tiny_wan, right):
    added = hub.add_file("me/tiny", "sum.safetensors", data=tiny_wan)
    prompt = preview(
        "StowEnsureModel",
        {"source": "hf://me/tiny/sum.safetensors", "folder": "loras", "name": f"sum_{right}.safetensors",
         "sha256": added["sha256"] if right else "ab" * 32},
    )  # fmt: skip
    state, text, _ = outcome(comfy_server.run_prompt(prompt))
    assert state == ("success" if right else "error"), text
    assert (comfy_server.models / "loras" / f"sum_{right}.safetensors").exists() is right


def test_a_model_that_is_there_is_used_without_asking_anybody(comfy_server, hub, decode):
    comfy_server.run_prompt(decode("StowLoadVAE", vae_name="there.safetensors", source=TAESD))
    hub.clear_requests()
    prompt = decode("StowLoadVAE", vae_name="there.safetensors", source=TAESD)
    prompt["1"]["inputs"]["width"] = 128
    assert_image(comfy_server, comfy_server.run_prompt(prompt))
    assert not hub.requests()


def test_a_missing_literal_is_refused_without_our_node_and_runs_with_it(comfy_server, decode):
    prompt = decode("VAELoader", vae_name="linked.safetensors")
    refused = comfy_server.request("POST", "/prompt", {"prompt": prompt})
    assert refused.status == 400
    assert "value_not_in_list" in refused.body.decode()
    prompt["9"] = {"class_type": "StowEnsureWorkflowModels", "inputs": {}}
    model = {"name": "linked.safetensors", "directory": "vae", "url": _url(comfy_server, TAESD)}
    workflow = {"nodes": [{"id": 2, "type": "VAELoader", "properties": {"models": [model]}}]}
    entry = run(comfy_server, prompt, extra_data={"extra_pnginfo": {"workflow": workflow}})
    assert_image(comfy_server, entry)


def test_ensure_workflow_models_takes_a_manifest(comfy_server, hub, tiny_wan):
    private = f"{hub.add_direct('private.safetensors', data=tiny_wan)['url']}?token=pasted-and-secret"
    lora = "hf://Comfy-Stow/lora-demo/stow_style.safetensors"
    manifest = (
        f"version: 1\nmodels:\n  - {{source: {TAESD}, folder: vae, subfolder: listed, name: a.safetensors}}\n"
        f"  - {{source: {lora}, folder: loras, subfolder: listed}}\n  - {{source: '{private}', folder: loras}}\n"
    )
    entry = comfy_server.run_prompt({"9": {"class_type": "StowEnsureWorkflowModels", "inputs": {"manifest": manifest}}})
    assert outcome(entry)[0] == "success", outcome(entry)
    assert (comfy_server.models / "vae" / "listed" / "a.safetensors").is_file()
    assert (comfy_server.models / "loras" / "listed" / "stow_style.safetensors").is_file()
    asked = [row["target"] for row in hub.requests(origin="cdn") if "/private.safetensors" in row["target"]]
    assert asked == [target for target in asked if "token=pasted-and-secret" in target] != []


def test_a_manifest_with_a_model_that_cannot_be_had_says_what_to_do(comfy_server):
    gated = "hf://Comfy-Stow/gated-demo/stow_gated.safetensors"
    manifest = f"version: 1\nmodels: [{{source: {TAESD}, folder: vae}}, {{source: {gated}, folder: loras}}]\n"
    entry = comfy_server.run_prompt({"9": {"class_type": "StowEnsureWorkflowModels", "inputs": {"manifest": manifest}}})
    state, text, _ = outcome(entry)
    assert state == "error"
    assert "stow_gated.safetensors could not be fetched" in text
    assert "token" in text


def test_a_wrong_manifest_names_its_line(comfy_server):
    entry = comfy_server.run_prompt(
        {"9": {"class_type": "StowEnsureWorkflowModels", "inputs": {"manifest": "version: 1\nmodles: []\n"}}}
    )
    assert "line 2: a manifest has no `modles`" in outcome(entry)[1]


def test_model_info_takes_the_name_from_ensure_model(comfy_server):
    prompt = {
        "8": {
            "class_type": "StowEnsureModel",
            "inputs": {"source": TAESD, "folder": "vae", "name": "chained.safetensors"},
        },
        "9": {"class_type": "StowModelInfo", "inputs": {"folder": "vae", "name": ["8", 0]}},
    }
    entry = comfy_server.run_prompt(prompt)
    assert outcome(entry)[0] == "success", outcome(entry)
    assert entry["outputs"]["9"]["text"][0].startswith(
        "chained.safetensors\nvae, base model unknown\nsafetensors, fp16, "
    )
    assert "Traceback" not in comfy_server.log.rpartition("got prompt")[2]


def test_model_info_reads_a_header_and_shows_it(comfy_server, tiny_wan):
    (comfy_server.models / "loras" / "info.safetensors").write_bytes(
        save(load(tiny_wan), metadata={"modelspec.title": "Tiny <b>one</b>"})
    )
    prompt = {"9": {"class_type": "StowModelInfo", "inputs": {"folder": "loras", "name": "info.safetensors"}}}
    entry = comfy_server.run_prompt(prompt)
    assert outcome(entry)[0] == "success", outcome(entry)
    (text,) = entry["outputs"]["9"]["text"]
    parameters = sum(tensor.size for tensor in load(tiny_wan).values())
    assert text.splitlines()[:3] == [
        "info.safetensors",
        "diffusion model, Wan T2V",
        f"safetensors, fp16, {parameters} parameters",
    ]
    assert "title: Tiny <b>one</b>" in text


def test_model_info_of_a_damaged_file_says_so(comfy_server, tiny_wan):
    (comfy_server.models / "loras" / "cut.safetensors").write_bytes(tiny_wan[:10_000])
    entry = comfy_server.run_prompt(
        {"9": {"class_type": "StowModelInfo", "inputs": {"folder": "loras", "name": "cut.safetensors"}}}
    )
    assert "its length does not fit its header" in entry["outputs"]["9"]["text"][0]


def test_model_info_of_a_missing_file_says_what_to_do(comfy_server):
    entry = comfy_server.run_prompt(
        {"9": {"class_type": "StowModelInfo", "inputs": {"folder": "loras", "name": "gone.safetensors"}}}
    )
    assert "`gone.safetensors` is not in `loras`\nEnsure Model can fetch it" in outcome(entry)[1]


def test_interrupt_ends_the_node_keeps_the_part_and_the_next_run_goes_on(comfy_server, hub):
    hub.fault("rate", file="big_64mib*", bytes_per_second=500_000)
    prompt = preview(
        "StowEnsureModel",
        {"source": "hf://Comfy-Stow/big-models/big_64mib.safetensors", "folder": "loras", "name": "slow.safetensors"},
    )
    prompt_id = comfy_server.request("POST", "/prompt", {"prompt": prompt}).json()["prompt_id"]
    wait_for(
        lambda: any(item["bytes_done"] for item in downloads(comfy_server) if item["filename"] == "slow.safetensors")
    )
    comfy_server.request("POST", "/interrupt", {})
    wait_for(lambda: prompt_id in comfy_server.request("GET", f"/history/{prompt_id}").json())
    entry = comfy_server.request("GET", f"/history/{prompt_id}").json()[prompt_id]
    assert "execution_interrupted" in dict(entry["status"]["messages"])
    wait_for(lambda: one(comfy_server, "slow.safetensors")["state"] == "paused")
    hub.clear_faults()
    entry = comfy_server.run_prompt(prompt)
    assert outcome(entry)[0] == "success", outcome(entry)
    assert one(comfy_server, "slow.safetensors")["state"] == "completed"


def test_a_download_that_the_queue_already_has_is_shared_and_left_alone(comfy_server, hub, decode):
    hub.fault("rate", file="big_64mib*", bytes_per_second=500_000)
    request = {
        "source": "hf://Comfy-Stow/big-models/big_64mib.safetensors",
        "folder_name": "vae",
        "filename": "both.safetensors",
    }
    theirs = comfy_server.stow("POST", "/downloads", request).json()
    wait_for(lambda: one(comfy_server, "both.safetensors")["bytes_done"])
    prompt = decode("StowLoadVAE", vae_name="both.safetensors", source=request["source"])
    prompt_id = comfy_server.request("POST", "/prompt", {"prompt": prompt}).json()["prompt_id"]
    wait_for(lambda: comfy_server.request("GET", "/queue").json()["queue_running"])
    time.sleep(1)
    assert [item["id"] for item in downloads(comfy_server) if item["filename"] == "both.safetensors"] == [theirs["id"]]
    comfy_server.request("POST", "/interrupt", {})
    wait_for(lambda: prompt_id in comfy_server.request("GET", f"/history/{prompt_id}").json())
    assert one(comfy_server, "both.safetensors")["state"] == "running"
    comfy_server.stow("POST", f"/downloads/{theirs['id']}/cancel")


def test_a_queue_that_rests_while_comfyui_works_does_not_rest_for_the_prompt_that_needs_it(start_comfy, hub):
    hub.fault("rate", file="big_64mib*", bytes_per_second=1_000_000)  # seconds, so that the queue has time to notice
    server = start_comfy(env={**hub_environment(hub), "COMFYSTOW_PAUSE_WHILE_GENERATING": "1"})
    inputs = {
        "source": "hf://Comfy-Stow/big-models/big_64mib.safetensors",
        "folder": "loras",
        "name": "held.safetensors",
    }
    entry = server.run_prompt(preview("StowEnsureModel", inputs))
    assert outcome(entry)[0] == "success", outcome(entry)
    assert (server.models / "loras" / "held.safetensors").is_file()


def test_every_node_has_its_help_page(comfy_server):
    names = [name for name in comfy_server.request("GET", "/object_info").json() if name.startswith("Stow")]
    assert len(names) == 12
    folder = next(key for key in comfy_server.import_times())
    for name in names:
        page = comfy_server.request("GET", f"/extensions/{folder}/docs/{name}/en.md")
        assert page.status == 200, name
        assert page.body.startswith(b"# ")
        # What a page in another language falls back to.
        assert comfy_server.request("GET", f"/extensions/{folder}/docs/{name}.md").body == page.body


def _url(server, reference):
    endpoint = server.env["HF_ENDPOINT"]
    repo, _, file = reference.removeprefix("hf://").rpartition("/")
    return f"{endpoint}/{repo}/resolve/main/{file}"


def test_system_stats_shows_the_sample_that_everybody_sees_and_passes_on_what_it_waited_for(comfy_server):
    prompt = {
        "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "2": {"class_type": "StowSystemStats", "inputs": {"after": ["1", 0]}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 1]}},
        "4": {"class_type": "SaveLatent", "inputs": {"samples": ["2", 2], "filename_prefix": "passed"}},
    }
    entry = comfy_server.run_prompt(prompt)
    assert outcome(entry)[0] == "success", outcome(entry)
    sample = json.loads(entry["outputs"]["3"]["text"][0])
    seen = comfy_server.stow("GET", "/system").json()["sample"]
    assert sample["host"]["memory_limit_bytes"] == seen["host"]["memory_limit_bytes"]
    assert [disk["path"] for disk in sample["disks"]] == [disk["path"] for disk in seen["disks"]]
    (text,) = entry["outputs"]["2"]["text"]
    assert "CPU: " in text
    assert "GPU: " in text  # no driver here: it says so, and shows no 0
    assert "4" in entry["outputs"]
    again = comfy_server.run_prompt(prompt)
    assert "2" in again["outputs"]


def test_manifest_in_a_node_goes_by_the_conditions_of_this_machine(comfy_server):
    manifest = f"version: 1\nmodels: [{{source: {TAESD}, folder: vae, name: m.safetensors, when: profile == pod}}]\n"
    prompt = {"1": {"class_type": "StowEnsureWorkflowModels", "inputs": {"manifest": manifest, "profile": "pod"}}}
    assert outcome(comfy_server.run_prompt(prompt))[0] == "success"
    assert (comfy_server.models / "vae" / "m.safetensors").is_file()
    prompt["1"]["inputs"]["manifest"] = manifest.replace("profile == pod", "vram_gb >= 1")
    state, text, _ = outcome(comfy_server.run_prompt(prompt))
    assert state == "error"
    assert "cannot be decided here" in text
