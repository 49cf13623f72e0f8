"""Which models a workflow or prompt needs."""

from __future__ import annotations

import pytest
from comfystow.core.errors import WorkflowError
from comfystow.core.records.workflow import NodeMode
from comfystow.core.workflow.requirements import required_models, requirements


def pairs(document, node_inputs=None):
    return [(model.folder_name, model.name) for model in required_models(document, node_inputs)]


def test_a_loader_names_a_model_of_its_folder_with_or_without_embedded_data(graph):
    g = graph()
    g.node(1, "CheckpointLoaderSimple", "sd15.safetensors")
    vae = g.node(2, "VAELoader", "ae.safetensors")
    g.embed(vae, "ae.safetensors", "vae", hash="ab" * 32, hash_type="SHA256")
    bare, with_data = required_models(g.document())
    assert (bare.folder_name, bare.name, bare.url) == ("checkpoints", "sd15.safetensors", None)
    assert (with_data.folder_name, with_data.sha256) == ("vae", "ab" * 32)
    assert with_data.url == "https://huggingface.co/o/r/resolve/main/ae.safetensors"


def test_an_embedded_entry_counts_only_if_the_node_still_names_it(graph):
    g = graph()
    node = g.node(1, "UNETLoader", "new.safetensors", "default")
    g.embed(node, "old.safetensors", "diffusion_models")
    (model,) = required_models(g.document())
    assert (model.name, model.url) == ("new.safetensors", None)


def test_models_at_the_root_tell_of_named_models_and_count_alone_otherwise(graph):
    g = graph()
    g.node(1, "VAELoader", "ae.safetensors")
    g.root["models"] = [
        {"name": "ae.safetensors", "directory": "vae", "url": "https://huggingface.co/a/b/resolve/main/ae.safetensors"},
        {"name": "more.safetensors", "directory": "clip", "url": "https://huggingface.co/a/b/resolve/main/m"},
    ]
    first, second = required_models(g.document())
    assert first.url == "https://huggingface.co/a/b/resolve/main/ae.safetensors"
    assert (second.folder_name, second.name, second.uses) == ("text_encoders", "more.safetensors", ())


def test_old_folder_names_become_the_present_ones(graph):
    g = graph()
    node = g.node(1, "SomebodysLoader", "x.safetensors")
    g.embed(node, "x.safetensors", "unet")
    assert pairs(g.document()) == [("diffusion_models", "x.safetensors")]


def test_several_models_of_one_node_keep_their_widgets(graph):
    g = graph()
    g.node(1, "DualCLIPLoader", "clip_l.safetensors", "t5xxl.safetensors", "flux", "default")
    g.node(2, "LTXAVTextEncoderLoader", "gemma.safetensors", "ltx.safetensors", "default")
    document = g.document()
    assert pairs(document) == [
        ("text_encoders", "clip_l.safetensors"),
        ("text_encoders", "t5xxl.safetensors"),
        ("text_encoders", "gemma.safetensors"),
        ("checkpoints", "ltx.safetensors"),
    ]
    assert [model.uses[0].widget_name for model in required_models(document)] == [
        "clip_name1", "clip_name2", "text_encoder", "ckpt_name",
    ]  # fmt: skip


def test_positional_values_count_where_the_named_ones_are_stale(graph):
    g = graph()
    g.node(1, "UNETLoader", "kept.safetensors", "default",
           widgets_values_named={"unet_name": "stale.safetensors", "weight_dtype": "default"})  # fmt: skip
    assert pairs(g.document()) == [("diffusion_models", "kept.safetensors")]


def test_muted_and_bypassed_nodes_are_told_apart_and_need_nothing(graph):
    g = graph()
    g.node(1, "VAELoader", "muted.safetensors", mode=2)
    g.node(2, "VAELoader", "bypassed.safetensors", mode=4)
    g.node(3, "VAELoader", "both.safetensors", mode=4)
    g.node(4, "VAELoader", "both.safetensors")
    found = requirements(g.document())
    assert [model.name for model in found.models] == ["both.safetensors"]
    assert [use.mode for use in found.models[0].uses] == [NodeMode.BYPASSED, NodeMode.ACTIVE]
    assert {model.name: model.uses[0].mode for model in found.inactive} == {
        "muted.safetensors": NodeMode.MUTED,
        "bypassed.safetensors": NodeMode.BYPASSED,
    }


def test_a_subgraph_is_walked_with_a_path_of_ids(graph):
    inner = graph()
    inner.node(7, "VAELoader", "deep.safetensors")
    middle = graph()
    middle.node(5, "inner-id")
    g = graph()
    g.subgraph("inner-id", inner, {})
    g.subgraph("middle-id", middle, {})
    g.node(3, "middle-id")
    (model,) = required_models(g.document())
    assert model.uses[0].node_id == "3:5:7"


def test_a_bypassed_instance_silences_everything_in_it(graph):
    inner = graph()
    inner.node(7, "VAELoader", "deep.safetensors")
    g = graph()
    g.subgraph("s", inner, {})
    g.node(3, "s", mode=4)
    found = requirements(g.document())
    assert not found.models
    assert found.inactive[0].uses[0].mode is NodeMode.BYPASSED


def test_two_instances_promote_two_values_over_the_stored_one(graph):
    inner = graph()
    inner.node(1, "UNETLoader", "stored.safetensors", "default")
    inner.node(2, "KSampler", 1, "randomize", 20)
    g = graph()
    g.subgraph("s", inner, {"steps": (2, "steps"), "unet_name": (1, "unet_name")})
    g.node(10, "s", 20, "first.safetensors")
    g.node(11, "s", 30, "second.safetensors")
    g.node(12, "s")
    uses = {model.name: model.uses[0].node_id for model in required_models(g.document())}
    assert uses == {"first.safetensors": "10:1", "second.safetensors": "11:1", "stored.safetensors": "12:1"}


def test_a_value_promoted_through_two_levels_arrives(graph):
    inner = graph()
    inner.node(1, "VAELoader", "stored.safetensors")
    middle = graph()
    middle.node(5, "inner", "middle.safetensors")
    g = graph()
    g.subgraph("inner", inner, {"vae_name": (1, "vae_name")})
    g.subgraph("middle", middle, {"vae": (5, "vae_name")})
    g.node(9, "middle", "outer.safetensors")
    assert [(model.name, model.uses[0].node_id) for model in required_models(g.document())] == [
        ("outer.safetensors", "9:5:1")
    ]


def test_proxy_widgets_of_older_frontends_are_followed(graph):
    inner = graph()
    inner.node(1, "UNETLoader", "stored.safetensors", "default")
    inner.node(2, "VAELoader", "stored_vae.safetensors")
    g = graph()
    g.subgraph("s", inner, {"unet_name": (1, "unet_name")})
    g.node(10, "s", "vae2.safetensors", "unet2.safetensors",
           properties={"proxyWidgets": [["2", "vae_name"], ["-1", "unet_name"]]})  # fmt: skip
    assert pairs(g.document()) == [("diffusion_models", "unet2.safetensors"), ("vae", "vae2.safetensors")]


def test_a_misplaced_promoted_value_never_hides_a_model(graph):
    inner = graph()
    inner.node(1, "VAELoader", "stored.safetensors")
    g = graph()
    g.subgraph("s", inner, {"vae_name": (1, "vae_name")})
    g.node(10, "s", "euler")
    assert pairs(g.document()) == [("vae", "stored.safetensors")]


@pytest.mark.parametrize("separator", [">", "/"])
def test_group_nodes_of_older_workflows_are_opened(graph, separator):
    g = graph()
    inner = [
        {"index": 0, "type": "CheckpointLoaderSimple", "widgets_values": ["stored.safetensors"]},
        {"index": 1, "type": "KSampler", "widgets_values": [1, "fixed"]},
        {"index": 2, "type": "VAELoader", "widgets_values": ["stored_vae.safetensors"]},
    ]
    g.root["extra"] = {"groupNodes": {"mine": {"nodes": inner, "links": []}}}
    g.node(4, f"workflow{separator}mine", "used.safetensors", 7, "fixed", "used_vae.safetensors")
    g.node(5, f"workflow{separator}mine", 7)
    assert [(model.folder_name, model.name, model.uses[0].node_id) for model in required_models(g.document())] == [
        ("checkpoints", "used.safetensors", "4:0"),
        ("vae", "used_vae.safetensors", "4:2"),
        ("checkpoints", "stored.safetensors", "5:0"),
        ("vae", "stored_vae.safetensors", "5:2"),
    ]


def test_a_primitive_gives_its_value_through_reroutes(graph):
    g = graph()
    g.node(1, "PrimitiveNode", "chosen.safetensors", "fixed")
    g.node(2, "Reroute")
    g.node(3, "CheckpointLoaderSimple", "stored.safetensors")
    g.link(1, 2, "", widget=False)
    g.link(2, 3, "ckpt_name")
    (model,) = required_models(g.document())
    assert (model.folder_name, model.name, [use.node_id for use in model.uses]) == (
        "checkpoints", "chosen.safetensors", ["3"],
    )  # fmt: skip


def test_a_widget_that_another_node_feeds_needs_nothing(graph):
    g = graph()
    g.node(1, "StowEnsureModel", "hf://o/r/x.safetensors", "checkpoints")
    g.node(3, "CheckpointLoaderSimple", "stored.safetensors")
    g.link(1, 3, "ckpt_name")
    assert pairs(g.document()) == []


@pytest.mark.parametrize("value", ["taesd", "taesdxl", "pixel_space", "None"])
def test_choices_that_name_no_file_are_not_flagged(graph, value):
    g = graph()
    g.node(1, "VAELoader", value)
    assert pairs(g.document()) == []
    assert pairs({"1": {"class_type": "VAELoader", "inputs": {"vae_name": value}}}) == []


def test_a_video_tae_lies_in_vae_approx(graph):
    g = graph()
    g.node(1, "VAELoader", "taehv.safetensors")
    assert pairs(g.document()) == [("vae_approx", "taehv.safetensors")]


def test_rgthree_power_lora_loader_counts_what_is_switched_on(graph):
    g = graph()
    on, off = ({"on": state, "lora": f"{state}.safetensors", "strength": 1} for state in (True, False))
    g.node(1, "Power Lora Loader (rgthree)", {}, {"type": "PowerLoraLoaderHeaderWidget"}, on, off, {}, "")
    assert pairs(g.document()) == [("loras", "True.safetensors")]
    prompt = {"1": {"class_type": "Power Lora Loader (rgthree)", "inputs": {"lora_1": on, "lora_2": off}}}
    assert pairs(prompt) == [("loras", "True.safetensors")]


def test_common_packs_are_known_without_a_server(graph):
    g = graph()
    g.node(1, "UnetLoaderGGUF", "flux1-dev-Q4_K_S.gguf")
    g.node(2, "IPAdapterModelLoader", "ip-adapter.safetensors")
    g.node(3, "UltralyticsDetectorProvider", "bbox/face_yolov8m.pt")
    g.node(4, "CheckpointLoaderSimpleMultiGPU", "x.safetensors", "cuda:0")
    g.node(5, "DWPreprocessor", "enable", "yolox_l.onnx", "dw-ll_ucoco_384_bs5.torchscript.pt")
    assert pairs(g.document()) == [
        ("diffusion_models", "flux1-dev-Q4_K_S.gguf"),
        ("ipadapter", "ip-adapter.safetensors"),
        ("ultralytics_bbox", "bbox/face_yolov8m.pt"),
        ("checkpoints", "x.safetensors"),
    ]


def test_what_the_server_said_of_a_node_goes_before_the_table(graph):
    g = graph()
    g.node(1, "LoraLoader", "x.safetensors", 1, 1)
    g.node(2, "BrandNewLoader", "y.safetensors")
    learnt = {"LoraLoader": {"lora_name": "my_loras"}, "BrandNewLoader": {"file": "unet_gguf"}}
    assert pairs(g.document(), learnt) == [("my_loras", "x.safetensors"), ("diffusion_models", "y.safetensors")]


def test_what_the_server_could_not_learn_is_taken_from_the_table(graph):
    """A server learns an input from the files in its list; of an empty folder it learns nothing."""
    g = graph()
    g.node(1, "LTXAVTextEncoderLoader", "gemma.safetensors", "ltx.safetensors", "default")
    learnt = {"LTXAVTextEncoderLoader": {"text_encoder": "text_encoders"}}
    assert pairs(g.document(), learnt) == [("text_encoders", "gemma.safetensors"), ("checkpoints", "ltx.safetensors")]


def test_an_unknown_node_is_read_by_the_look_of_its_values(graph):
    document = {
        "1": {"class_type": "Unheard", "inputs": {"lora_name": "a.safetensors", "image": "b.png", "thing": "c.gguf"}}
    }
    assert pairs(document) == [("loras", "a.safetensors"), (None, "c.gguf")]


def test_prompts_name_loras_and_embeddings(graph):
    g = graph()
    text = "a cat <lora:detail/tweaker:0.8> <lora:x> (embedding:easynegative:1.2), embedding:bad.pt,\nnotembedding:no"
    g.node(1, "CLIPTextEncode", text)
    assert pairs(g.document()) == [
        ("loras", "detail/tweaker"), ("loras", "x"), ("embeddings", "easynegative"), ("embeddings", "bad.pt"),
    ]  # fmt: skip


def test_notes_give_links_and_no_requirements(graph):
    g = graph()
    g.node(
        1, "MarkdownNote", "Get [it](https://huggingface.co/o/r/resolve/main/x.safetensors). use y.safetensors <lora:z>"
    )
    found = requirements(g.document())
    assert not found.models
    assert [link.url for link in found.links] == ["https://huggingface.co/o/r/resolve/main/x.safetensors"]


def test_an_api_prompt_with_its_workflow_keeps_what_the_author_embedded(graph):
    g = graph()
    node = g.node(1, "VAELoader", "ae.safetensors")
    g.embed(node, "ae.safetensors", "vae")
    unused = g.node(2, "VAELoader", "unused.safetensors")
    g.embed(unused, "unused.safetensors", "vae")
    body = {
        "prompt": {"1": {"class_type": "VAELoader", "inputs": {"vae_name": "ae.safetensors", "x": ["2", 0]}}},
        "extra_data": {"extra_pnginfo": {"workflow": g.document()}},
    }
    body["prompt"]["7"] = {"class_type": "Unheard", "inputs": {"file": "unused.safetensors"}}
    known, unheard = required_models(body)
    assert known.url == "https://huggingface.co/o/r/resolve/main/ae.safetensors"
    assert (unheard.folder_name, unheard.name) == ("vae", "unused.safetensors")


@pytest.mark.parametrize("document", [None, 7, "text", [], {}, {"a": 1}, {"nodes": "x"}, {"prompt": {}}])
def test_what_is_no_workflow_is_an_error_that_says_so(document):
    with pytest.raises(WorkflowError, match="no ComfyUI workflow"):
        required_models(document)
