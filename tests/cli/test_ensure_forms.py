"""`ensure` of every form: workflow, manifest with groups and conditions, lock, variable; and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hub.server import Hub
from support.ask import ask

if TYPE_CHECKING:
    from conftest import Tree

VAE = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"
LORA = "hf://Comfy-Stow/lora-demo/stow_style.safetensors"


def a_workflow(path: Path, name: str, url: str | None = None, **extra: Any) -> Path:
    entry = {"name": name, "directory": "vae", "url": url or "", **extra}
    node = {"id": 7, "type": "VAELoader", "mode": 0, "widgets_values": [name], "properties": {"models": [entry]}}
    path.write_text(json.dumps({"nodes": [node], "links": [], "version": 0.4}))
    return path


def files_of(tree: Tree) -> set[str]:
    return {str(path.relative_to(tree.models)) for path in tree.models.rglob("*") if path.is_file()}


def test_manifest_brings_its_files_groups_and_workflows(tree: Tree, hub: Hub, tmp_path: Path) -> None:
    a_workflow(
        tmp_path / "w.json", "taesd.safetensors", f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors"
    )
    manifest = tmp_path / "models.yaml"
    manifest.write_text(
        "version: 1\nmodels:\n"
        f"  - source: {LORA}\n    folder: loras\n    subfolder: style\n"
        "  - workflow: w.json\n"
        f"  - source: {VAE}\n    folder: checkpoints\n    name: large.safetensors\n    when: vram_gb >= 16\n"
        f"  - source: {VAE}\n    folder: checkpoints\n    name: pod.safetensors\n    when: profile == pod\n"
        f"groups:\n  more:\n    - source: {VAE}\n      folder: vae\n      name: more.safetensors\n"
    )
    unknown = tree.run("ensure", manifest, "--yes")
    assert unknown.returncode == 2
    assert "line 7: `vram_gb >= 16` cannot be decided here" in unknown.stderr
    assert files_of(tree) == set()

    rows = tree.json("ensure", manifest, "--set", "vram_gb=8", "--profile", "pod", "--group", "more", "--yes")
    assert {row["state"] for row in rows} == {"completed"}
    wanted = {"loras/style/stow_style.safetensors", "vae/taesd.safetensors", "checkpoints/pod.safetensors"}
    assert files_of(tree) == wanted | {"vae/more.safetensors"}


def test_unknown_key_is_an_error_with_its_line(shared_tree: Tree, tmp_path: Path) -> None:
    manifest = tmp_path / "models.yaml"
    manifest.write_text(f"version: 1\nmodels:\n  - {VAE}\n  - source: {LORA}\n    folders: loras\n")
    done = shared_tree.run("ensure", manifest, "--yes")
    assert done.returncode == 2
    assert "models.yaml, line 5: an entry has no `folders`" in done.stderr
    assert "known: before, folder," in done.stderr


@pytest.mark.parametrize("form", ["list", "manifest"])
def test_the_variable_says_what_is_wanted(tree: Tree, tmp_path: Path, form: str) -> None:
    (tmp_path / "m.yaml").write_text(f"version: 1\nmodels:\n  - {{source: {VAE}, folder: vae}}\n")
    value = str(tmp_path / "m.yaml") if form == "manifest" else f"vae={VAE},\n loras={LORA}"
    tree.environment["COMFYSTOW_MODELS"] = value
    assert tree.run("ensure", "--yes").returncode == 0
    expected = {"vae/taesd.safetensors"} | ({"loras/stow_style.safetensors"} if form == "list" else set())
    assert files_of(tree) == expected


def test_without_a_wish_or_with_a_wrong_fact_it_is_wrong_use(shared_tree: Tree, tmp_path: Path) -> None:
    assert "COMFYSTOW_MODELS" in shared_tree.run("ensure", "--yes").stderr
    for words in (["--set", "vram=3"], ["--set", "vram_gb=much"], ["--set", "vram_gb"]):
        assert shared_tree.run("ensure", tmp_path, *words).returncode == 2


def test_a_name_that_only_the_hubs_know_is_offered_and_not_taken(tree: Tree, tmp_path: Path) -> None:
    path = a_workflow(tmp_path / "w.json", "taesd_copy.safetensors")
    hidden = tree.run("ensure", path, "--yes", "--offline")
    assert hidden.returncode == 1
    assert "it could be" not in hidden.stderr
    done = tree.run("ensure", path, "--yes")
    assert done.returncode == 1
    assert "no sure source" in done.stderr
    assert files_of(tree) == set()


def test_a_digest_that_civitai_knows_is_taken(tree: Tree, hub: Hub, tmp_path: Path) -> None:
    rows = ask("GET", f"{hub.hf_url}/api/models/Comfy-Stow/taesd-demo/tree/main").json()
    sha256 = next(row["lfs"]["oid"] for row in rows if row["path"] == "taesd.safetensors")
    path = a_workflow(tmp_path / "w.json", "renamed by its user.safetensors", hash=sha256, hash_type="SHA256")
    (got,) = tree.json("ensure", path, "--yes")
    assert got["sha256"] == sha256
    assert files_of(tree) == {"vae/renamed by its user.safetensors"}


def test_a_link_that_holds_a_token_is_asked_for_as_it_is_and_shown_without(
    tree: Tree, hub: Hub, tmp_path: Path
) -> None:
    header = json.dumps({"x": {"dtype": "F16", "shape": [8], "data_offsets": [0, 16]}}).encode()
    data = len(header).to_bytes(8, "little") + header + bytes(16)
    url = f"{hub.add_direct('private.safetensors', data=data)['url']}?token=pasted-and-secret"
    workflow = a_workflow(tmp_path / "w.json", "private.safetensors", url)
    planned = tree.run("ensure", workflow, "--dry-run", "--offline")
    assert planned.returncode == 0, planned.stderr
    assert "pasted-and-secret" not in planned.stdout + planned.stderr
    done = tree.run("ensure", workflow, "--yes", "--offline")
    assert done.returncode == 0, done.stderr
    assert "vae/private.safetensors" in files_of(tree)
    asked = [row["target"] for row in hub.requests(origin="cdn") if "/private.safetensors" in row["target"]]
    assert asked
    assert all("token=pasted-and-secret" in target for target in asked)
