"""The library's commands, as a user types them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from support.shelves import safetensors


def _put(tree, place: str, content: bytes) -> Path:
    path = tree.models / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - 60,) * 2)
    return path


def test_ls_scan_and_verify_say_what_is_there_and_what_is_broken(tree) -> None:
    _put(tree, "loras/style/one.safetensors", safetensors(8))
    two = _put(tree, "loras/two\nlines.safetensors", safetensors(16))
    os.link(two, tree.models / "vae/same.safetensors")
    _put(tree, "checkpoints/cut.safetensors", safetensors(64)[:-5])
    _put(tree, "vae/left.safetensors.part", b"x" * 1000)

    done = tree.run("scan")
    assert done.returncode == 0
    assert done.stdout.startswith("4 files, 4 added, 1 damaged")
    assert "control character" in done.stderr

    rows = tree.json("ls", "--sort", "size", "--reverse")
    assert [row["name"] for row in rows][:1] == ["cut.safetensors"]
    assert {row["links"] for row in rows if row["folder"] == "vae"} == {2}
    assert [row["relative_path"] for row in tree.json("ls", "STYLE", "one")] == ["style/one.safetensors"]
    assert [row["name"] for row in tree.json("ls", "--damaged")] == ["cut.safetensors"]
    assert [row["name"] for row in tree.json("ls", "--folder", "vae", "--limit", "1")] == ["same.safetensors"]
    listed = tree.run("ls").stdout.splitlines()
    assert len(listed) == 4  # a name with a line break is one line
    assert any("two�lines" in line and "2 names" in line for line in listed)
    (part,) = tree.json("ls", "--parts")
    assert (part["name"], part["source"]) == ("left.safetensors.part", None)

    report = tree.json("verify", code=6)
    assert [row["name"] for row in report["damaged"]] == ["cut.safetensors"]
    (tree.models / "checkpoints/cut.safetensors").unlink()
    report = tree.json("verify", "--all")
    assert (report["headers"], report["read"], report["damaged"]) == (3, 3, [])
    assert all(row["sha256"] for row in tree.json("ls"))


def test_what_no_workflow_names_is_listed(tree) -> None:
    user = tree.models.parent / "user/default/workflows/deep"
    user.mkdir(parents=True)
    _put(tree, "loras/used.safetensors", safetensors(8))
    _put(tree, "loras/sub/renamed.safetensors", safetensors(16))
    _put(tree, "loras/idle.safetensors", safetensors(24))
    os.link(tree.models / "loras/used.safetensors", tree.models / "loras/other name.safetensors")
    nodes = [
        {"id": 1, "type": "LoraLoader", "widgets_values": ["used.safetensors", 1.0, 1.0]},
        {"id": 2, "type": "LoraLoader", "mode": 4, "widgets_values": ["old/renamed.safetensors", 1.0, 1.0]},
    ]
    import json

    (user / "one.json").write_text(json.dumps({"nodes": nodes, "links": []}))
    (user / "broken.json").write_text("{")
    state = tree.models.parent / "user/__comfystow"
    done = tree.run("ls", "--unreferenced", "--state-dir", state, "--json")
    try:
        assert done.returncode == 0, done.stderr
        assert [row["name"] for row in json.loads(done.stdout)] == ["idle.safetensors"]
        assert "1 workflows were read" in done.stderr
        assert "`broken.json` could not be read" in done.stderr
    finally:
        tree.run("engine", "stop", "--state-dir", state)


def test_identify_needs_no_source_to_say_what_is_unknown(tree) -> None:
    _put(tree, "loras/nobody.safetensors", safetensors(8))
    report = tree.json("identify")
    assert (report["asked"], report["identified"], report["unknown"], report["hashed"]) == (1, 0, 1, 1)
