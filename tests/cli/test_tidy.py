"""`dedupe`, `trash`, `prune` and `undo` through the real engine."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hub.server import Hub
from support.models import write_lora


def rows_of(tree, *words: str | Path, code: int = 0) -> dict[str, dict]:
    return {Path(row["to"] or row["from"]).name: row for row in tree.json(*words, code=code)}


def hub_blob(home: Path, source: Path) -> Path:
    """Lay a file out as huggingface_hub caches it: a blob by its digest, and a link that has its name."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    repository = home / "hub" / "models--someone--thing"
    blob = repository / "blobs" / digest
    blob.parent.mkdir(parents=True)
    blob.write_bytes(source.read_bytes())
    os.utime(blob, (1e9, 1e9))
    link = repository / "snapshots" / "abc" / source.name
    link.parent.mkdir(parents=True)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return blob


def test_equal_files_of_roots_cache_and_other_programs_become_one(tree, tmp_path: Path) -> None:
    base = tree.models.parent
    tree.environment["HF_HOME"] = str(base / "hf")
    kept = write_lora(tree.models / "loras" / "a.safetensors")
    other = write_lora(base / "webui" / "Lora" / "b.safetensors")
    different = write_lora(base / "webui" / "Lora" / "same size.safetensors", seed=2)
    blob = hub_blob(base / "hf", kept)
    size = kept.stat().st_size
    plan = tree.json("dedupe", base / "webui")
    assert sorted((row["action"], row["to"], row["method"]) for row in plan) == sorted(
        [("replace", str(other), "hard"), ("replace", str(blob), "hard")]
    )
    assert {row["from"] for row in plan} == {str(kept)}
    assert not other.samefile(kept)
    shown = tree.run("dedupe", base / "webui")
    assert "to be freed" in shown.stderr

    done = tree.json("dedupe", base / "webui", "--apply")
    assert {row["step"] for row in done} == {"done"}
    assert kept.stat().st_nlink == 3
    assert other.samefile(kept)
    assert blob.samefile(kept)
    assert (base / "hf/hub/models--someone--thing/snapshots/abc/a.safetensors").read_bytes() == kept.read_bytes()
    assert not different.samefile(kept)
    assert tree.json("dedupe", base / "webui") == []

    assert tree.run("undo").returncode == 0
    assert (kept.stat().st_nlink, other.stat().st_nlink, blob.stat().st_nlink) == (1, 1, 1)
    assert other.read_bytes() == kept.read_bytes()
    assert blob.stat().st_mtime == 1e9
    assert blob.stat().st_size == size


def test_a_name_that_is_not_seen_keeps_the_space(tree) -> None:
    write_lora(tree.models / "loras" / "a.safetensors")
    twice = write_lora(tree.models / "vae" / "b.safetensors")
    os.link(twice, tree.models.parent / "hidden")
    rows = {row["to"]: row for row in tree.json("dedupe", "--no-hf-cache")}
    assert len(rows) == 1
    (row,) = rows.values()
    assert row["saved_bytes"] == (0 if row["to"] == str(twice) else row["bytes"])


def test_another_volume_is_told_and_left(tree, far: Path) -> None:
    write_lora(tree.models / "loras" / "a.safetensors")
    copy = write_lora(far / "copy.safetensors")
    (row,) = tree.json("dedupe", far, "--apply")
    assert row["action"] == "skip"
    assert "volume" in row["reason"]
    assert copy.stat().st_nlink == 1


def test_a_copy_that_changes_after_the_plan_stays(tree) -> None:
    from comfystow.core.config import load_settings
    from comfystow.core.engine.sync_client import SyncEngineClient

    write_lora(tree.models / "loras" / "a.safetensors", age_seconds=9000)
    copy = write_lora(tree.models / "vae" / "b.safetensors")
    assert tree.run("trash").returncode == 0  # the engine knows the folders from now on
    with SyncEngineClient(tree.state_dir, load_settings(tree.environment)) as client:
        plan = client.call("POST", "/library/dedupe", {"hf_cache": False})
        content = write_lora(copy, seed=9).read_bytes()
        done = client.call("POST", "/library/dedupe", {"apply": plan["id"]})
    assert (done["done"], done["skipped"]) == (0, 1)
    assert copy.read_bytes() == content


def test_trash_takes_gives_back_and_deletes(tree) -> None:
    lora = write_lora(tree.models / "loras" / "old.safetensors")
    side = lora.with_suffix(".json")
    side.write_text("{}")
    content = lora.read_bytes()
    assert tree.json("trash") == []
    assert len(tree.json("trash", "put", lora)) == 2
    assert lora.exists()
    assert tree.run("trash", "put", lora, "--apply").returncode == 0
    assert not lora.exists()
    assert not side.exists()
    names = [Path(item["from"]).name for item in tree.json("trash")]
    assert sorted(names) == ["old.json", "old.safetensors"]
    assert not [path for path in tree.models.rglob("*.safetensors") if ".comfystow" not in str(path)]
    assert tree.run("undo").returncode == 0
    assert lora.read_bytes() == content
    assert side.exists()
    assert tree.json("trash") == []

    tree.run("trash", "put", lora, "--apply")
    assert len(tree.json("trash", "empty")) == 2
    assert len(tree.json("trash")) == 2
    assert tree.run("trash", "empty", "--apply").returncode == 0
    assert tree.json("trash") == []
    assert not [path for path in tree.models.rglob("*") if path.is_file()]
    assert tree.run("undo").returncode == 1


def test_only_files_of_the_library_are_deleted(tree) -> None:
    outside = write_lora(tree.models.parent / "outside.safetensors")
    done = tree.run("trash", "put", outside, "--apply")
    assert done.returncode == 2
    assert "no folder of models" in done.stderr
    assert tree.run("trash", "put", tree.models / "loras" / ".." / ".." / outside.name).returncode == 2
    assert outside.exists()


def test_no_delete_keeps_everything(tree) -> None:
    lora = write_lora(tree.models / "loras" / "old.safetensors")
    tree.environment["COMFYSTOW_NO_DELETE"] = "1"
    for words in (("trash", "put", lora), ("prune", "--to", "0")):
        assert tree.run(*words).returncode == 0
    done = tree.run("trash", "put", lora, "--apply")
    assert done.returncode == 1
    assert "COMFYSTOW_NO_DELETE" in done.stderr
    assert lora.exists()


def test_prune_lets_go_what_can_be_had_again_and_what_is_named(tree, hub: Hub) -> None:
    own = write_lora(tree.models / "loras" / "my own.safetensors")
    got = tree.json("get", "hf://Comfy-Stow/lora-demo/stow_style.safetensors", "--to", "loras")
    fetched = Path(got[0]["path"])
    kept = own.stat().st_size
    nothing = tree.run("prune", "--to", "1G", "--apply")
    assert "nothing is to be done" in nothing.stderr
    (row,) = tree.json("prune", "--to", str(kept))
    assert (row["from"], row["action"], row["bytes"]) == (str(fetched), "trash", fetched.stat().st_size)
    too_much = tree.run("prune", "--to", "0")
    assert "my own" not in too_much.stdout
    assert "too much stay" in too_much.stderr
    assert len(tree.json("prune", "--to", "0", own)) == 2
    assert tree.run("prune", "--to", str(kept), "--apply").returncode == 0
    assert not fetched.exists()
    assert own.exists()
    assert tree.run("undo").returncode == 0
    assert fetched.exists()
    assert len(tree.json("prune", "--to", str(kept))) == 1, "its source is known as before"
