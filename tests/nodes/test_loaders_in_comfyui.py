"""The loaders with auto-download on a real ComfyUI: what is missing is fetched, and the stock loader loads it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load, save
from support.prompts import TAESD, assert_image, outcome, preview

pytestmark = pytest.mark.comfyui


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


def test_lists_offer_what_is_there_and_then_what_the_catalogue_knows(comfy_server):
    (comfy_server.models / "vae" / "zz_mine.safetensors").write_bytes(b"x")
    node = comfy_server.request("GET", "/object_info/StowLoadVAE").json()["StowLoadVAE"]
    options = node["input"]["required"]["vae_name"][1]["options"]
    assert options[0] == "zz_mine.safetensors"
    assert "ae.safetensors" in options[1:]
