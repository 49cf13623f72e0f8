"""The answer that command line, route and panel give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from comfystow.core.records.model import Folder, FolderLayout
from comfystow.core.workflow.load import load_document
from comfystow.core.workflow.missing import missing
from comfystow.core.workflow.status import LayoutInventory

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"


def test_the_shape_is_the_contracts(graph, tmp_path):
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "here.safetensors").touch()
    g = graph()
    g.node(1, "VAELoader", "here.safetensors")
    absent = g.node(2, "VAELoader", "absent.safetensors", mode=4)
    g.embed(absent, "absent.safetensors", "vae")
    g.node(3, "VAELoader", "../x.safetensors")
    inventory = LayoutInventory(FolderLayout(folders={"vae": Folder(directories=(tmp_path / "vae",))}))
    (report,) = json.loads(json.dumps(missing(g.document(), inventory=inventory, workflow="w.json")))
    assert (report["workflow"], report["error"]) == ("w.json", None)
    here, gone = report["models"]
    assert (here["state"], here["path"], here["candidates"]) == ("present", str(tmp_path / "vae/here.safetensors"), [])
    assert {key: gone[key] for key in ("name", "folder", "nodes", "state", "path", "active")} == {
        "name": "absent.safetensors", "folder": "vae", "nodes": ["2"], "state": "missing", "path": None, "active": False,
    }  # fmt: skip
    assert set(gone["candidates"][0]) >= {
        "source", "url", "folder", "name", "size_bytes", "sha256", "confidence", "reason",
    }  # fmt: skip
    assert [part["node_id"] for part in report["skipped"]] == ["3"]


def test_an_unreadable_document_is_reported_with_its_error():
    (report,) = missing({"a": 1}, inventory=LayoutInventory(FolderLayout()), workflow="w.json")
    assert report["models"] == []
    assert report["error"]["code"] == "bad_workflow"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_example_workflow_is_read_and_resolves(path):
    (found,) = missing(load_document(path), inventory=LayoutInventory(FolderLayout()), workflow=path.name)
    assert (found["error"], found["skipped"]) == (None, [])
    assert all(model["candidates"][0]["confidence"] in {"exact", "high"} for model in found["models"])
