"""`search`, `inspect`, `store` and folders of repositories, against the local hub."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from hub.server import Hub
from support.engines import wait_for

if TYPE_CHECKING:
    from conftest import Tree

VAE = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"
INSPECTION = [
    "ref", "path", "kind", "folder", "base_model", "precision", "parameters", "size_bytes", "vram_bytes", "confidence",
    "evidence", "format", "tensors", "precisions", "metadata", "error", "base_model_version", "detail", "alternatives",
    "trigger_words", "training", "rejected",
]  # fmt: skip


def test_a_remote_file_is_looked_into_by_two_small_reads(tree: Tree, hub: Hub) -> None:
    [row] = tree.json("inspect", "hf://Comfy-Stow/big-models/big_2gib.safetensors")
    assert list(row) == INSPECTION
    assert (row["format"], row["error"], row["path"]) == ("safetensors", None, None)
    assert row["size_bytes"] >= row["vram_bytes"] > 2_000_000_000
    assert (row["kind"], row["base_model"], row["confidence"]) == ("diffusion_model", "Flux", "high")
    assert row["precision"] in {"fp16", "bf16", "fp32", "fp8_e4m3fn"}
    assert row["parameters"] > 1_000_000
    assert any("tensors" in line for line in row["evidence"])
    assert hub.bytes_sent("Comfy-Stow/big-models/big_2gib.safetensors") < 1 << 20
    assert not list(tree.models.rglob("*.safetensors"))


def test_a_local_file_says_the_same_as_its_source(tree: Tree) -> None:
    tree.json("get", VAE, "--to", "vae")
    remote, local = tree.json("inspect", VAE, "vae/taesd.safetensors")
    assert local["path"] == str(tree.models / "vae" / "taesd.safetensors")
    assert (local["kind"], local["folder"]) == ("vae", "vae")
    for name in (
        "kind",
        "base_model",
        "format",
        "precision",
        "parameters",
        "size_bytes",
        "vram_bytes",
        "tensors",
        "metadata",
    ):
        assert local[name] == remote[name]
    told = tree.run("inspect", "vae/taesd.safetensors", "--explain").stdout
    assert "precision   fp16" in told
    assert "because     " in told


def test_what_cannot_be_looked_into_says_why(tree: Tree) -> None:
    (tree.models / "vae" / "page.safetensors").write_bytes(b"<!DOCTYPE html><html></html>")
    rows = tree.json("inspect", "vae/page.safetensors", "hf://Comfy-Stow/taesd-demo/config.json", "nonsense", code=1)
    assert [row["error"]["code"] for row in rows] == ["not_a_model", "bad_header", "invalid_reference"]


def test_a_gguf_is_looked_into(tree: Tree) -> None:
    [row] = tree.json("inspect", "hf://Comfy-Stow/gguf-demo/stow-flux-F16.gguf")
    assert (row["format"], row["precision"]) == ("gguf", "fp16")


def test_search_finds_on_both_sites_best_first(tree: Tree) -> None:
    found = tree.json("search", "stow", "style")
    assert found["errors"] == {}
    assert "civitai" in {hit["provider"] for hit in found["hits"]}
    assert [hit["score"] for hit in found["hits"]] == sorted((hit["score"] for hit in found["hits"]), reverse=True)
    only = tree.json("search", "taesd", "--provider", "huggingface")
    assert "hf://Comfy-Stow/taesd-demo" in {hit["source"] for hit in only["hits"]}
    assert "hf://Comfy-Stow/taesd-demo" in tree.run("search", "taesd").stdout


def test_search_answers_again_without_asking(tree: Tree, hub: Hub) -> None:
    tree.json("search", "taesd")
    asked = len(hub.requests())
    tree.json("search", "taesd")
    assert len(hub.requests()) == asked


def test_one_site_that_fails_does_not_hide_the_other(tree: Tree, hub: Hub) -> None:
    hub.fault("status", origin="civitai", path="/api/v1/models*", status=500)
    found = tree.json("search", "taesd")
    assert found["hits"]
    assert list(found["errors"]) == ["civitai"]


def test_a_diffusers_repository_keeps_its_folders(tree: Tree) -> None:
    (tree.models / "diffusers").mkdir()
    rows = tree.json("get", "hf://Comfy-Stow/tiny-diffusers", "--include", "*")
    base = tree.models / "diffusers" / "tiny-diffusers"
    names = {str(path.relative_to(base)) for path in base.rglob("*") if path.is_file()}
    assert "model_index.json" in names
    assert any(name.startswith("unet/") and name.endswith(".safetensors") for name in names)
    assert {row["folder"] for row in rows} == {"diffusers"}
    assert {row["state"] for row in rows} == {"completed"}


def test_patterns_choose_and_folders_stay(tree: Tree, hub: Hub) -> None:
    for path in ("a/one.safetensors", "a/b/two.safetensors", "a/b/notes.md", "vae/three.safetensors"):
        hub.add_file("me/many", path, size_bytes=1 << 16)
    rows = tree.json("get", "hf://me/many", "--include", "a/*", "--exclude", "*one*", "--to", "loras")
    assert [row["path"] for row in rows] == [str(tree.models / "loras" / "a" / "b" / "two.safetensors")]
    rows = tree.json("get", "hf://me/many", "--include", "vae/*")
    assert [(row["folder"], row["path"]) for row in rows] == [("vae", str(tree.models / "vae" / "three.safetensors"))]
    assert not list(tree.models.rglob("notes.md"))


def test_a_folder_that_nobody_tells_is_asked_for_and_never_guessed(tree: Tree, hub: Hub) -> None:
    hub.add_file("me/plain", "thing.safetensors", size_bytes=1 << 16)
    [row] = tree.json("get", "hf://me/plain/thing.safetensors", code=2)
    assert row["error"]["code"] == "folder_unknown"
    assert "choose one of" in row["error"]["hint"]
    assert not list((tree.models / "checkpoints").iterdir())


def test_the_store_is_filled_listed_and_fetched_from(tree: Tree) -> None:
    tree.environment["COMFYSTOW_SHARED_STORE"] = f"file://{tree.models.parent / 'store'}"
    data = (8).to_bytes(8, "little") + b"{}      " + os.urandom(0)
    (tree.models / "loras" / "a.safetensors").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    [row] = tree.json("store", "push", "loras")
    assert (row["sha256"], row["pushed"], row["error"]) == (digest, True, None)
    assert tree.json("store", "push", "loras/a.safetensors")[0]["pushed"] is False
    assert tree.json("store", "ls") == [{"sha256": digest, "size_bytes": len(data)}]
    [row] = tree.json("store", "pull", digest, "--to", "vae", "--name", "b.safetensors")
    assert (tree.models / "vae" / "b.safetensors").read_bytes() == data
    assert row["sha256"] == digest
    failed = tree.run("store", "pull", "ab" * 32, "--to", "vae", "--name", "c.safetensors")
    assert failed.returncode == 1
    assert "nobody we know has the file" in failed.stderr


def test_without_a_store_the_command_says_how_to_name_one(tree: Tree) -> None:
    done = tree.run("store", "ls")
    assert done.returncode == 2
    assert "COMFYSTOW_SHARED_STORE" in done.stderr
    assert json.loads(done.stdout or "null") is None


def test_no_token_reaches_log_database_or_part(tree: Tree, hub: Hub) -> None:
    """Tokens of the environment are used, and kept nowhere; the one that is set lies in its own file alone."""
    tree.environment |= {"HF_TOKEN": hub.hf_token}
    assert tree.run("auth", "set", "civitai", input=hub.civitai_token).returncode == 0
    assert tree.json("auth", "test", "civitai")["user"]
    hub.fault("stall", file="*big_8mib*", after_bytes=1_000_000)  # the part is there to be looked at
    wanted = ("hf://Comfy-Stow/gated-demo/stow_gated.safetensors", "civitai://1003@2020?file=3020", "civitai://1002")
    done = tree.run("get", *wanted, "--to", "loras")
    assert "stow_gated.safetensors" in done.stdout  # the token was used
    tree.run("get", "hf://Comfy-Stow/big-models/big_8mib.safetensors", "--to", "vae", "--detach")
    wait_for(lambda: list(tree.models.rglob("*.part.json")))
    kept = [path for base in (tree.state_dir, tree.models) for path in base.rglob("*") if path.is_file()]
    assert {"engine.log", "comfystow.sqlite"} <= {path.name for path in kept}
    holding = [path.name for path in kept if hub.civitai_token.encode() in path.read_bytes()]
    assert holding == ["credentials.json"]
    assert (tree.state_dir / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert not [path.name for path in kept if hub.hf_token.encode() in path.read_bytes()]
    for text in (done.stdout, done.stderr, tree.run("downloads", "--json").stdout):
        assert hub.hf_token not in text
        assert hub.civitai_token not in text
    assert tree.run("auth", "clear", "civitai").returncode == 0
    assert hub.civitai_token not in (tree.state_dir / "credentials.json").read_text()


def test_who_leaves_a_search_ends_it(tree: Tree, hub: Hub) -> None:
    tree.json("search", "warm up")
    with (
        hub.faulty("delay", origin="hf", path="/api/models*", seconds=30),
        hub.faulty("delay", origin="civitai", seconds=30),
    ):
        hub.clear_requests()
        started = tree.start("search", "something else")
        wait_for(lambda: _active(hub) >= 2)
        started.kill()
        started.communicate()
        wait_for(lambda: _active(hub) == 0, 10)


def _active(hub: Hub) -> int:
    rows = {row["origin"]: row for row in hub.gauge()}
    return sum(value for row in rows.values() for name, value in row.items() if name.startswith("active"))
