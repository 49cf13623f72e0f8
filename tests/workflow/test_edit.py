"""Relinked and embedded copies, and lines to copy."""

from __future__ import annotations

import copy

import pytest
from comfystow.core.errors import WorkflowError
from comfystow.core.records.workflow import (
    Candidate,
    Confidence,
    ModelStatus,
    NodeUse,
    Presence,
    RequiredModel,
)
from comfystow.core.workflow.candidates import find_candidates
from comfystow.core.workflow.edit import Known, Rename, embed, relink
from comfystow.core.workflow.export import export_lines
from comfystow.core.workflow.knowledge import sources_to_embed
from comfystow.core.workflow.requirements import required_models
from support.templates import stripped, templates

SHA = "ab" * 32


def rename(document, old, new):
    uses = next(model.uses for model in required_models(document) if model.name == old)
    return relink(document, [Rename(old=old, new=new, uses=uses)])


def names(document):
    return [model.name for model in required_models(document)]


def test_relinking_changes_a_copy_and_keeps_the_embedded_entry_counting(graph):
    g = graph()
    node = g.node(1, "VAELoader", "old.safetensors")
    g.embed(node, "old.safetensors", "vae")
    g.node(2, "CLIPTextEncode", "old.safetensors is a name")
    before = g.document()
    kept = copy.deepcopy(before)
    after, count = rename(before, "old.safetensors", "sub/new.safetensors")
    assert before == kept
    assert count == 1
    (model,) = required_models(after)
    assert (model.name, model.url) == ("sub/new.safetensors", "https://huggingface.co/o/r/resolve/main/old.safetensors")


def test_relinking_reaches_promoted_values_primitives_and_packs_objects(graph):
    inner = graph()
    inner.node(1, "VAELoader", "old.safetensors")
    g = graph()
    g.subgraph("s", inner, {"vae_name": (1, "vae_name")})
    g.node(10, "s", "old.safetensors")
    g.node(2, "PrimitiveNode", "old.safetensors")
    g.node(3, "VAELoader", "stale.safetensors")
    g.link(2, 3, "vae_name")
    g.node(4, "Power Lora Loader (rgthree)", {"on": True, "lora": "lora.safetensors", "strength": 1})
    document, count = rename(g.document(), "old.safetensors", "new.safetensors")
    document, _ = rename(document, "lora.safetensors", "lora2.safetensors")
    assert sorted(names(document)) == ["lora2.safetensors", "new.safetensors"]
    assert count == 3


def test_relinking_changes_a_prompt_and_the_workflow_beside_it(graph):
    g = graph()
    g.node(1, "VAELoader", "old.safetensors")
    body = {
        "prompt": {"1": {"class_type": "VAELoader", "inputs": {"vae_name": "old.safetensors"}}},
        "extra_data": {"extra_pnginfo": {"workflow": g.document()}},
    }
    after, count = rename(body, "old.safetensors", "new.safetensors")
    assert count == 2
    assert names(after) == names(after["extra_data"]["extra_pnginfo"]["workflow"]) == ["new.safetensors"]


def test_embedding_writes_what_the_frontend_reads(graph):
    g = graph()
    node = g.node(1, "VAELoader", "x.safetensors")
    g.embed(node, "x.safetensors", "vae", url="https://old.example/x", note="kept")
    g.embed(node, "other.safetensors", "vae")
    (model,) = required_models(g.document())
    known = Known(
        name=model.name, folder_name="vae", url="https://huggingface.co/a/b/resolve/main/x", sha256=SHA, uses=model.uses
    )
    after, count = embed(g.document(), [known])
    assert count == 1
    first, second = after["nodes"][0]["properties"]["models"]
    assert first == {
        "name": "x.safetensors", "url": known.url, "directory": "vae", "hash": SHA, "hash_type": "SHA256", "note": "kept",
    }  # fmt: skip
    assert second["name"] == "other.safetensors"
    assert embed(after, [known])[1] == 0


def test_what_is_embedded_needs_no_search_afterwards():
    for number, template in enumerate(templates("0.7.25")):
        if number % 10:
            continue
        bare = stripped(template.workflow)
        known = [
            Known(name=model.name, folder_name=model.folder_name, url=f"https://example.org/{model.name}", sha256=SHA,
                  uses=model.uses)
            for model in required_models(bare)
        ]  # fmt: skip
        after, _ = embed(bare, known)
        for model in required_models(after):
            assert find_candidates(model)[0].confidence is Confidence.EXACT


def test_an_api_prompt_has_no_place_for_it():
    with pytest.raises(WorkflowError, match="no place"):
        embed({"1": {"class_type": "VAELoader", "inputs": {}}}, [])


def missing(name, *candidates, active=True):
    rows = [
        {"source": "hf://o/r/it's.gguf", "url": None, "folder": "vae", "sha256": SHA, "reason": "by name", **row}
        for row in candidates
    ]
    return {"name": name, "folder": "vae", "state": "missing", "active": active, "candidates": rows}


def test_missing_models_become_lines_that_a_shell_reads_as_one_command_each():
    best = {"name": "sub/it's; rm.gguf", "confidence": "high"}
    models = [missing("a", best), missing("b\nc"), missing("muted", best, active=False),
              missing("d", {"name": "d.sft", "confidence": "guess"})]  # fmt: skip
    link = "https://huggingface.co/o/r/resolve/main/it%27s.gguf"
    assert list(export_lines(models, "links")) == [link, "# b?c: no source is known", "# d, guess: by name", link]
    assert list(export_lines(models, "get"))[:2] == [
        f"""comfystow get 'hf://o/r/it'"'"'s.gguf' --to vae/sub --name 'it'"'"'s; rm.gguf' --sha256 {SHA}""",
        "# b?c: no source is known",
    ]


def test_only_what_a_workflow_does_not_say_yet_is_written_into_it():
    def status(name, url=None, sha256=None, **candidate):
        use = NodeUse(node_id="1", node_type="X")
        required = RequiredModel(name=name, folder_name="vae", uses=(use,), url=url, sha256=sha256)
        known = {"source": "hf://o/r@abc/x.sft", "confidence": Confidence.HIGH, "reason": "", **candidate}
        return ModelStatus(required=required, presence=Presence.MISSING, candidates=(Candidate(**known),))

    said = "https://huggingface.co/o/r/resolve/main/x.sft"
    found = sources_to_embed(
        [
            status("new"),
            status("said", url=said),
            status("guessed", confidence=Confidence.LIKELY),
            status("of this machine", source="file:/x.sft"),
        ]
    )
    assert [(row.name, row.url) for row in found] == [("new", "https://huggingface.co/o/r/resolve/abc/x.sft")]
