"""Locks: the same lock gives the same bytes on every machine, and `sync` says when it does not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hub.server import Hub

if TYPE_CHECKING:
    from conftest import Tree

VAE = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"
LORA = "hf://Comfy-Stow/lora-demo/stow_style.safetensors"
MANIFEST = f"""\
version: 1
models:
  - source: {LORA}
    folder: loras
    subfolder: style
  - source: {VAE}
    folder: vae
    name: tiny.safetensors
  - source: civitai://1001@2001?file=3002
  - workflow: w.json
groups:
  more: [{{source: {VAE}, folder: checkpoints}}]
"""


@pytest.fixture
def manifest(tmp_path: Path, hub: Hub) -> Path:
    url = f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/vae/taesd_copy.safetensors"
    entry = {"name": "taesd_copy.safetensors", "directory": "vae", "url": url}
    node = {"id": 7, "type": "VAELoader", "widgets_values": [entry["name"]], "properties": {"models": [entry]}}
    (tmp_path / "w.json").write_text(json.dumps({"nodes": [node], "links": []}))
    path = tmp_path / "models.yaml"
    path.write_text(MANIFEST)
    return path


def digests(tree: Tree) -> dict[str, str]:
    files = [path for path in tree.models.rglob("*") if path.is_file()]
    return {str(path.relative_to(tree.models)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_one_lock_makes_two_machines_equal(tree: Tree, other_tree: Tree, manifest: Path, tmp_path: Path) -> None:
    lock = tmp_path / "models.lock"
    assert tree.run("lock", manifest, "--group", "more", "-o", lock).returncode == 0
    assert other_tree.run("lock", manifest, "--group", "more").stdout == lock.read_text()
    entries = yaml.safe_load(lock.read_text())["models"]
    assert [entry["folder"] for entry in entries] == ["checkpoints", "loras", "loras", "vae", "vae"]
    assert [entry["kind"] for entry in entries][-1] == "vae"
    assert all("@" in entry["source"] and len(entry["sha256"]) == 64 for entry in entries)
    assert {entry["base_model"] for entry in entries if "civitai" in entry["source"]} == {"SD 1.5"}

    for machine in (tree, other_tree):
        assert machine.run("sync", lock, "--check").returncode == 3
        rows = machine.json("sync", lock)
        assert {row["state"] for row in rows} == {"completed"}
        assert machine.run("sync", lock, "--check").returncode == 0
    assert digests(tree) == digests(other_tree)
    assert digests(tree) == {f"{entry['folder']}/{entry['name']}": entry["sha256"] for entry in entries}
    assert other_tree.run("ensure", lock, "--yes").returncode == 0


def test_lock_holds_when_its_repository_goes_on(tree: Tree, hub: Hub, tmp_path: Path) -> None:
    hub.add_file("me/repo", "m.safetensors", size_bytes=1 << 16)
    manifest, lock = tmp_path / "models.yaml", tmp_path / "models.lock"
    manifest.write_text("version: 1\nmodels: [{source: hf://me/repo/m.safetensors, folder: vae}]\n")
    assert tree.run("lock", manifest, "-o", lock).returncode == 0
    hub.add_file("me/repo", "m.safetensors", size_bytes=1 << 15)
    assert tree.run("sync", lock).returncode == 0
    assert (tree.models / "vae" / "m.safetensors").stat().st_size == 1 << 16
    assert tree.run("lock", manifest).stdout != lock.read_text()


def test_sync_overwrites_nothing_and_lists_what_is_too_much(tree: Tree, manifest: Path, tmp_path: Path) -> None:
    lock = tmp_path / "models.lock"
    assert tree.run("lock", manifest, "-o", lock).returncode == 0
    mine, extra = tree.models / "vae" / "tiny.safetensors", tree.models / "loras" / "mine.safetensors"
    mine.write_bytes(b"mine")
    extra.write_bytes(b"extra")
    done = tree.run("sync", lock)
    assert done.returncode == 1
    assert "`vae/tiny.safetensors` is another file" in done.stderr
    assert mine.read_bytes() == b"mine"
    state = tree.json("sync", lock, "--check", code=3)
    assert [row["name"] for row in state["entries"] if row["state"] == "other"] == ["tiny.safetensors"]
    assert [(row["folder"], row["name"]) for row in state["extra"]] == [("loras", "mine.safetensors")]

    mine.unlink()
    assert tree.run("sync", lock).returncode == 0
    assert tree.run("sync", lock, "--check").returncode == 0
    assert tree.run("sync", lock, "--check", "--prune").returncode == 3
    assert extra.exists()


def test_prune_moves_what_is_too_much_into_the_trash_and_undo_brings_it_back(
    tree: Tree, manifest: Path, tmp_path: Path
) -> None:
    lock, extra = tmp_path / "models.lock", tree.models / "loras" / "mine.safetensors"
    assert tree.run("lock", manifest, "-o", lock).returncode == 0
    extra.write_bytes(b"\x02" + bytes(7) + b"{}")
    done = tree.run("sync", lock, "--prune")
    assert done.returncode == 0, done.stderr
    assert "comfystow undo" in done.stderr
    assert not extra.exists()
    assert tree.run("sync", lock, "--check", "--prune").returncode == 0
    assert tree.run("undo").returncode == 0
    assert extra.read_bytes().endswith(b"{}")


def test_a_changed_byte_is_seen_though_length_and_name_fit(tree: Tree, manifest: Path, tmp_path: Path) -> None:
    lock = tmp_path / "models.lock"
    assert tree.run("lock", manifest, "-o", lock).returncode == 0
    assert tree.run("sync", lock).returncode == 0
    path = tree.models / "vae" / "tiny.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "SHA-256 begins with" in tree.run("sync", lock, "--check").stdout
    assert tree.run("sync", lock, "--check").returncode == 3
    assert tree.run("sync", lock, "--check", "--sizes-only").returncode == 0


def test_what_tells_no_digest_makes_no_lock(tree: Tree, hub: Hub, tmp_path: Path) -> None:
    data = b"\x02" + bytes(7) + b"{}"  # a whole model without a tensor
    url = hub.add_direct("plain.safetensors", data=data, digest=False)["url"]
    manifest, lock = tmp_path / "models.yaml", tmp_path / "models.lock"
    manifest.write_text(f"version: 1\nmodels:\n  - {{source: '{url}', folder: vae}}\n")
    done = tree.run("lock", manifest, "-o", lock)
    assert done.returncode == 2
    assert "write `sha256:` beside it" in done.stderr
    assert not lock.exists()
    sha256 = hashlib.sha256(data).hexdigest()
    manifest.write_text(f"version: 1\nmodels:\n  - {{source: '{url}', folder: vae, sha256: {sha256}}}\n")
    assert tree.run("lock", manifest, "-o", lock).returncode == 0
    assert tree.run("sync", lock).returncode == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("    colour: blue\n", "line 8: an entry has no `colour`"),
        ("    size_bytes: 3\n", "line 8: `size_bytes` stands there twice"),
    ],
)
def test_unknown_key_in_a_lock_is_an_error_with_its_line(
    shared_tree: Tree, tmp_path: Path, line: str, told: str
) -> None:
    lock = tmp_path / "models.lock"
    lock.write_text(
        "version: 1\nmodels:\n  - source: https://github.com/o/r/releases/download/v1/x.safetensors\n"
        f"    folder: vae\n    name: x.safetensors\n    size_bytes: 5\n    sha256: {'a' * 64}\n{line}"
    )
    done = shared_tree.run("sync", lock)
    assert done.returncode == 2
    assert told in done.stderr


def test_manifest_is_written_from_the_library_and_from_a_workflow(
    tree: Tree, other_tree: Tree, manifest: Path, tmp_path: Path
) -> None:
    assert tree.run("ensure", manifest, "--yes").returncode == 0
    (tree.models / "vae" / "nobody-knows.safetensors").write_bytes(b"x")
    written = tmp_path / "library.yaml"
    assert tree.run("manifest", "--library", "-o", written).returncode == 0
    assert other_tree.run("ensure", written, "--yes").returncode == 0
    missing = set(digests(tree)) - set(digests(other_tree))
    assert missing == {"vae/nobody-knows.safetensors"}

    done = other_tree.run("manifest", manifest.parent / "w.json")
    assert done.returncode == 0, done.stderr
    (row,) = yaml.safe_load(done.stdout)["models"]
    assert (row["folder"], row["name"]) == ("vae", "taesd_copy.safetensors")
    assert tree.run("manifest").returncode == 2
