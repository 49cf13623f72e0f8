"""The nodes on a real ComfyUI without a browser: every prompt goes through `POST /prompt`."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from safetensors.numpy import load, save
from support.comfyui import hub_environment

pytestmark = pytest.mark.comfyui

TAESD = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"


@pytest.fixture(autouse=True)
def _no_models_left_over(comfy_server, hub):
    """Begin each test with empty folders and no faults."""
    yield
    hub.clear_faults()
    for path in comfy_server.models.rglob("*.safetensors*"):
        path.unlink()


def outcome(entry):
    """Return how a prompt ended, and what its error says."""
    messages = dict(entry["status"]["messages"])
    error = messages.get("execution_error", {})
    return entry["status"]["status_str"], error.get("exception_message", ""), error.get("node_id")


def assert_image(server, entry):
    assert outcome(entry)[0] == "success", outcome(entry)
    (image,) = entry["outputs"]["4"]["images"]
    data = server.request("GET", f"/view?filename={image['filename']}&type=output").body
    assert data.startswith(b"\x89PNG")


def preview(kind, inputs, *, slot=0):
    """Give a prompt that runs a loader and shows one of its outputs as text."""
    return {
        "2": {"class_type": kind, "inputs": inputs},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", slot]}},
    }


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


def test_load_vae_fetches_and_loads(comfy_server, decode):
    assert_image(comfy_server, comfy_server.run_prompt(decode("StowLoadVAE", vae_name="v.safetensors", source=TAESD)))


def test_load_diffusion_model_and_lora_fetch_and_load(comfy_server, hub, tiny_wan):
    hub.add_file("me/tiny", "wan.safetensors", data=tiny_wan)
    prompt = preview(
        "StowLoadLora",
        {"model": ["5", 0], "lora_name": "style.safetensors", "strength_model": 1.0, "strength_clip": 1.0,
         "source": "hf://Comfy-Stow/lora-demo/stow_style.safetensors"},
    )  # fmt: skip
    prompt["5"] = {
        "class_type": "StowLoadDiffusionModel",
        "inputs": {"unet_name": "wan.safetensors", "weight_dtype": "default", "source": "hf://me/tiny/wan.safetensors"},
    }
    entry = comfy_server.run_prompt(prompt)
    assert outcome(entry)[0] == "success", outcome(entry)
    assert "ModelPatcher" in json.dumps(entry["outputs"]["3"])
    assert (comfy_server.models / "diffusion_models" / "wan.safetensors").is_file()
    assert (comfy_server.models / "loras" / "style.safetensors").is_file()


def test_load_checkpoint_fetches_and_loads(comfy_server, hub, tiny_wan):
    whole = save({f"model.diffusion_model.{name}": tensor for name, tensor in load(tiny_wan).items()})
    hub.add_file("me/tiny", "all.safetensors", data=whole)
    entry = comfy_server.run_prompt(
        preview("StowLoadCheckpoint", {"ckpt_name": "all.safetensors", "source": "hf://me/tiny/all.safetensors"})
    )
    assert outcome(entry)[0] == "success", outcome(entry)
    assert "ModelPatcher" in json.dumps(entry["outputs"]["3"])


def test_load_upscale_model_fetches_and_loads(comfy_server, hub, tiny_upscaler):
    hub.add_file("me/tiny", "up.safetensors", data=tiny_upscaler)
    entry = comfy_server.run_prompt(
        preview("StowLoadUpscaleModel", {"model_name": "up.safetensors", "source": "hf://me/tiny/up.safetensors"})
    )
    assert outcome(entry)[0] == "success", outcome(entry)
    assert "ImageModelDescriptor" in json.dumps(entry["outputs"]["3"])


@pytest.mark.parametrize(
    ("kind", "inputs", "folder", "says"),
    [
        ("StowLoadControlNet", {"control_net_name": "x.safetensors"}, "controlnet", "valid controlnet"),
        ("StowLoadCLIPVision", {"clip_name": "x.safetensors"}, "clip_vision", "valid vision model"),
    ],
)
def test_what_arrives_is_given_to_the_stock_loader_which_judges_it(comfy_server, kind, inputs, folder, says):
    """A VAE is none of these models: the word about it is the stock loader's own."""
    entry = comfy_server.run_prompt(preview(kind, {**inputs, "source": TAESD}))
    assert says in outcome(entry)[1]
    assert (comfy_server.models / folder / "x.safetensors").is_file()


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


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_load_clip_fetches_and_loads_one_to_four(comfy_server, hub, count):
    # One tensor of CLIP-L's width: ComfyUI takes it for CLIP-L and leaves the rest as it was made.
    encoder = save({"text_model.final_layer_norm.weight": np.ones(768, dtype=np.float16)})
    added = hub.add_file("me/tiny", "encoder.safetensors", data=encoder)
    folder = comfy_server.models / "text_encoders"
    inputs = {"clip_name1": "fetched.safetensors", "type": "sdxl", "device": "default", "source": added["url"]}
    for number in range(2, count + 1):
        (folder / f"here{number}.safetensors").write_bytes(encoder)
        inputs[f"clip_name{number}"] = f"here{number}.safetensors"
    entry = comfy_server.run_prompt(preview("StowLoadCLIP", inputs))
    assert outcome(entry)[0] == "success", outcome(entry)
    assert "CLIP object" in json.dumps(entry["outputs"]["3"])


def test_a_gated_model_ends_the_node_with_what_to_do(comfy_server, decode):
    source = "hf://Comfy-Stow/gated-demo/stow_gated.safetensors"
    entry = comfy_server.run_prompt(decode("StowLoadVAE", vae_name="g.safetensors", source=source))
    state, text, node = outcome(entry)
    assert (state, node) == ("error", "2")
    assert "token" in text


def test_a_name_that_nobody_knows_ends_the_node_with_what_to_do(comfy_server, decode):
    entry = comfy_server.run_prompt(decode("StowLoadVAE", vae_name="unheard_of.safetensors"))
    state, text, node = outcome(entry)
    assert (state, node) == ("error", "2")
    assert "`unheard_of.safetensors` is not there, and no source is known for sure" in text
    assert "`source`" in text


@pytest.mark.parametrize("name", ["../../evil.safetensors", "evil.ckpt"])
def test_a_name_that_may_not_be_used_writes_nothing(comfy_server, decode, name):
    entry = comfy_server.run_prompt(decode("StowLoadVAE", vae_name=name, source=TAESD))
    assert outcome(entry)[0] == "error"
    assert not list(comfy_server.base.rglob("evil*"))


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


def test_lists_offer_what_is_there_and_then_what_the_catalogue_knows(comfy_server):
    (comfy_server.models / "vae" / "zz_mine.safetensors").write_bytes(b"x")
    node = comfy_server.request("GET", "/object_info/StowLoadVAE").json()["StowLoadVAE"]
    options = node["input"]["required"]["vae_name"][1]["options"]
    assert options[0] == "zz_mine.safetensors"
    assert "ae.safetensors" in options[1:]


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


def run(server, prompt, **more):
    reply = server.request("POST", "/prompt", {"prompt": prompt, **more})
    assert reply.status == 200, reply.body
    prompt_id = reply.json()["prompt_id"]
    wait_for(lambda: prompt_id in server.request("GET", f"/history/{prompt_id}").json())
    return server.request("GET", f"/history/{prompt_id}").json()[prompt_id]


def downloads(server):
    return server.stow("GET", "/downloads").json()["downloads"]


def one(server, filename):
    return next(item for item in downloads(server) if item["filename"] == filename)


def wait_for(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


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
