"""`missing`: relinked and completed copies, exports, finds on the hubs, and whether it fits the GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hub.server import Hub

if TYPE_CHECKING:
    from conftest import Tree

VAE = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"


def a_workflow(path: Path, *names: str, kind: str = "VAELoader", **embedded: Any) -> Path:
    nodes = [
        {
            "id": number,
            "type": kind,
            "widgets_values": [name],
            "properties": {"models": [{"name": name, **embedded}]} if embedded else {},
        }
        for number, name in enumerate(names, 1)
    ]
    path.write_text(json.dumps({"nodes": nodes, "links": [], "version": 0.4}))
    return path


def test_moved_file_is_relinked_in_a_copy(tree: Tree, tmp_path: Path) -> None:
    assert tree.run("get", VAE, "--to", "vae/old").returncode == 0
    path, fixed = a_workflow(tmp_path / "w.json", "taesd.safetensors", "old\\taesd.safetensors"), tmp_path / "f.json"
    before = path.read_bytes()
    assert tree.run("missing", path, "--relink").returncode == 2
    done = tree.run("missing", path, "--relink", "-o", fixed)
    assert done.returncode == 0, done.stderr
    assert "taesd.safetensors -> old/taesd.safetensors (node 1)" in done.stderr
    assert path.read_bytes() == before
    nodes = json.loads(fixed.read_text())["nodes"]
    assert [node["widgets_values"] for node in nodes] == [["old/taesd.safetensors"]] * 2
    assert tree.run("missing", fixed).returncode == 0
    again = tree.json("missing", fixed, "--relink", "-o", tmp_path / "unwritten.json")
    assert (again["changed"], (tmp_path / "unwritten.json").exists()) == (0, False)


def test_sources_are_written_into_a_copy_that_another_machine_needs_no_search_for(
    tree: Tree, other_tree: Tree, tmp_path: Path
) -> None:
    name = "taesd_renamed_by_me.safetensors"
    assert tree.run("get", VAE, "--to", "vae", "--name", name).returncode == 0
    path, saved = a_workflow(tmp_path / "w.json", name), tmp_path / "saved.json"
    done = tree.run("missing", path, "--embed", "-o", saved)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(saved.read_text())["nodes"][0]["properties"]["models"]
    assert (entry["name"], entry["directory"], entry["hash_type"]) == (name, "vae", "SHA256")
    assert entry["url"].startswith("https://huggingface.co/Comfy-Stow/taesd-demo/resolve/")
    (row,) = other_tree.json("ensure", saved, "--yes", "--offline")
    assert (row["sha256"], Path(row["path"]).name) == (entry["hash"], name)


def test_what_is_missing_is_exported_as_links_and_as_commands(shared_tree: Tree, tmp_path: Path) -> None:
    url = "https://huggingface.co/a/b/resolve/main/x.safetensors"
    path = a_workflow(tmp_path / "w.json", "x.safetensors", url=url, directory="vae")
    done = shared_tree.run("missing", path, "--offline", "--export", "links")
    assert (done.returncode, done.stdout.splitlines()[1:]) == (3, [url])
    done = shared_tree.run("missing", path, "--offline", "--export", "get")
    assert done.stdout.splitlines()[1] == "comfystow get hf://a/b/x.safetensors --to vae --name x.safetensors"


def test_hubs_are_asked_only_on_request_and_say_licence_size_and_how_sure(tree: Tree, hub: Hub, tmp_path: Path) -> None:
    path = a_workflow(tmp_path / "w.json", "stow_style_v2_pruned.safetensors", kind="LoraLoader")
    hub.clear_requests()
    (report,) = tree.json("missing", path, code=3)
    assert (report["models"][0]["candidates"], hub.requests()) == ([], [])
    (report,) = tree.json("missing", path, "--search", code=3)
    (best, *_) = report["models"][0]["candidates"]
    assert (best["source"], best["confidence"]) == ("civitai://1001@2001?file=3002", "likely")
    assert "likely: civitai://1001@2001?file=3002" in tree.run("missing", path, "--search").stdout


@pytest.fixture
def heavy(hub: Hub, tmp_path: Path) -> Path:
    """Give a workflow that needs 8.4 MB and more of weights, whose repository has a smaller variant."""
    hub.add_file("Comfy-Stow/big-models", "big_8mib-fp8.safetensors", size_bytes=3 << 20, seed=4)
    url = f"{hub.hf_url}/Comfy-Stow/big-models/resolve/main/big_8mib.safetensors"
    return a_workflow(
        tmp_path / "w.json", "big_8mib.safetensors", url=url, directory="checkpoints", kind="CheckpointLoaderSimple"
    )


@pytest.mark.parametrize(
    ("vram_gb", "verdict", "smaller"),
    [("24", "fits", []), ("1.28", "too_large", ["big_8mib-fp8.safetensors"])],
)
def test_fit_is_said_before_the_download(
    tree: Tree, heavy: Path, vram_gb: str, verdict: str, smaller: list[str]
) -> None:
    (report,) = tree.json("missing", heavy, "--set", f"vram_gb={vram_gb}", code=3)
    fit = report["fit"]
    assert (fit["verdict"], [row["name"] for row in fit["smaller"]]) == (verdict, smaller)
    assert fit["loads"][0]["told_by"] == "source"
    assert 8_000_000 < fit["needed_bytes"] < 8_500_000
    shown = tree.run("ensure", heavy, "--dry-run", "--set", f"vram_gb={vram_gb}")
    assert shown.returncode == 0, shown.stderr
    assert fit["sentence"] in shown.stderr
    assert list((tree.models / "checkpoints").iterdir()) == []


def test_fit_of_a_file_that_is_here_asks_nobody(tree: Tree, hub: Hub, tmp_path: Path) -> None:
    assert tree.run("get", VAE, "--to", "vae").returncode == 0
    hub.clear_requests()
    (report,) = tree.json("missing", a_workflow(tmp_path / "w.json", "taesd.safetensors"), "--set", "vram_gb=8")
    assert (report["fit"]["verdict"], report["fit"]["loads"][0]["told_by"]) == ("fits", "file")
    assert hub.requests() == []
    (report,) = tree.json("missing", tmp_path / "w.json")
    assert (report["fit"]["verdict"], report["fit"]["gpu"]) == ("unknown", None)
