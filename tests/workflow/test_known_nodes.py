"""The shipped table of common packs' loaders: where it was read, and that it is enough without a server."""

from __future__ import annotations

import json

import pytest
from comfystow.core.records.model import canonical_folder
from comfystow.core.workflow.node_inputs import _TABLE_FILE
from comfystow.core.workflow.requirements import requirements


def test_the_shipped_table_says_where_each_pack_was_read():
    table = json.loads(_TABLE_FILE.read_text(encoding="utf-8"))
    assert set(table["packs"]) == set(table["sources"])
    seen = [name for pack in table["packs"].values() for name in pack]
    assert len(seen) == len(set(seen)), "two packs claim one node"
    folders = [folder for pack in table["packs"].values() for inputs in pack.values() for folder in inputs.values()]
    assert all(folder and folder == canonical_folder(folder) for folder in folders)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("Power Lora Loader (rgthree)", [{"on": True, "lora": "a.safetensors"}, {"on": False, "lora": "off.safetensors"}], {("loras", "a.safetensors")}),
        ("UltralyticsDetectorProvider", ["bbox/face_yolov8m.pt"], {("ultralytics_bbox", "bbox/face_yolov8m.pt")}),
        ("IPAdapterModelLoader", ["ip-adapter.safetensors"], {("ipadapter", "ip-adapter.safetensors")}),
        ("ADE_LoadAnimateDiffModel", ["mm_sd_v15_v2.ckpt"], {("animatediff_models", "mm_sd_v15_v2.ckpt")}),
        ("UnetLoaderGGUF", ["flux1-dev-Q4_K_S.gguf"], {("diffusion_models", "flux1-dev-Q4_K_S.gguf")}),
        ("ACN_ControlNetLoaderAdvanced", ["cn.safetensors"], {("controlnet", "cn.safetensors")}),
        ("Efficient Loader", ["sd.safetensors", "Baked VAE", -2, "l.safetensors"], {("checkpoints", "sd.safetensors"), ("loras", "l.safetensors")}),
        ("LoadWanVideoClipTextEncoder", ["clip.safetensors", "fp16"], {("clip_vision", "clip.safetensors")}),
        ("DWPreprocessor", ["enable", "yolox_l.torchscript.pt"], set()),
    ],
)  # fmt: skip
def test_nodes_of_common_packs_are_known_without_a_server(graph, kind, values, expected):
    g = graph()
    g.node(1, kind, *values)
    assert {(model.folder_name, model.name) for model in requirements(g.document()).models} == expected
