"""Prompts with missing models, made to run."""

from __future__ import annotations

import copy

from comfystow.core.workflow.node_inputs import NodeTable
from comfystow.core.workflow.rewrite import link_missing

PROMPT = {
    "1": {"class_type": "VAELoader", "inputs": {"vae_name": "gone.safetensors"}},
    "2": {
        "class_type": "DualCLIPLoader",
        "inputs": {"clip_name1": "a.safetensors", "clip_name2": "here.safetensors", "type": "flux"},
    },
    "3": {"class_type": "VAELoader", "inputs": {"vae_name": "gone.safetensors"}},
    "4": {"class_type": "StowLoadVAE", "inputs": {"vae_name": "own.safetensors"}},
    "5": {"class_type": "VAELoader", "inputs": {"vae_name": "pixel_space"}},
    "6": {"class_type": "LoadImage", "inputs": {"image": "x.bin"}},
    "7": {"class_type": "VAELoader", "inputs": {"vae_name": "../../etc/x.safetensors"}},
    "8": {"class_type": "VAELoader", "inputs": {"vae_name": ["9", 0]}},
    "stow1": "somebody's",
}


def rewrite(prompt, workflow=None):
    return link_missing(
        prompt, workflow=workflow, table=NodeTable(), present=lambda _folder, name: name == "here.safetensors"
    )


def test_each_missing_literal_becomes_a_link_to_one_node_a_model():
    before = copy.deepcopy(PROMPT)
    done = rewrite(PROMPT)
    assert before == PROMPT
    assert done.inserted == ("stow2", "stow3")
    assert done.prompt["1"]["inputs"]["vae_name"] == done.prompt["3"]["inputs"]["vae_name"] == ["stow2", 0]
    assert done.prompt["2"]["inputs"] == {"clip_name1": ["stow3", 0], "clip_name2": "here.safetensors", "type": "flux"}
    assert done.prompt["stow2"]["class_type"] == "StowEnsureModel"
    assert done.prompt["stow2"]["inputs"] == {"source": "", "folder": "vae", "name": "gone.safetensors", "sha256": ""}


def test_everything_else_stays_as_it_was():
    done = rewrite(PROMPT)
    assert all(done.prompt[key] == PROMPT[key] for key in ("4", "5", "6", "7", "8", "stow1"))


def test_what_the_author_embedded_tells_the_source(graph):
    g = graph()
    node = g.node(1, "VAELoader", "gone.safetensors")
    g.embed(node, "gone.safetensors", "vae", hash="ab" * 32, hash_type="SHA256")
    done = rewrite(PROMPT, g.document())
    assert done.prompt["stow2"]["inputs"] == {
        "source": "https://huggingface.co/o/r/resolve/main/gone.safetensors",
        "folder": "vae",
        "name": "gone.safetensors",
        "sha256": "ab" * 32,
    }
