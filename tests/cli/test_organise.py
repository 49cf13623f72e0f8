"""`comfystow organise`: plans, links, what is left and why; through the real engine."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from hub.content import _pickled
from safetensors.numpy import save
from support.engines import living_engines, wait_for
from support.models import write_lora, write_still, write_taesd


def rows_of(tree, *words: str | Path, code: int = 0) -> dict[str, dict]:
    """Return the rows of a command by the last part of what they take."""
    return {Path(row["from"]).name: row for row in tree.json(*words, code=code)}


@pytest.fixture
def downloads(tree) -> Path:
    folder = tree.models.parent / "Downloads"
    folder.mkdir()
    return folder


def test_headers_say_where_models_go_and_undo_takes_them_back(tree, downloads: Path) -> None:
    lora = write_lora(downloads / "anything.safetensors")
    write_taesd(downloads / "deep" / "other.safetensors")
    for side in ("anything.json", "anything.preview.png", "anything.civitai.info"):
        write_still(downloads / side, side.encode())
    plan = rows_of(tree, "organise", downloads)
    assert {name: (row["action"], row["method"]) for name, row in plan.items()} == dict.fromkeys(plan, ("link", "hard"))
    assert plan["anything.safetensors"]["to"] == str(tree.models / "loras" / "anything.safetensors")
    assert plan["other.safetensors"]["to"] == str(tree.models / "vae" / "other.safetensors")
    assert not (tree.models / "loras" / "anything.safetensors").exists()

    done = rows_of(tree, "organise", downloads, "--apply")
    assert {row["step"] for row in done.values()} == {"done"}
    placed = tree.models / "loras" / "anything.safetensors"
    assert placed.samefile(lora)
    assert placed.with_name("anything.preview.png").read_bytes() == b"anything.preview.png"
    assert placed.with_name("anything.civitai.info").exists()
    again = rows_of(tree, "organise", downloads, "--apply")
    assert again["anything.safetensors"]["action"] == "skip"

    assert tree.run("undo").returncode == 0
    assert not placed.exists()
    assert lora.exists()
    assert tree.run("undo").returncode == 1


def test_the_same_name_with_another_content_is_a_choice(tree, downloads: Path) -> None:
    there = write_lora(tree.models / "loras" / "x.safetensors", seed=2)
    before = there.read_bytes()
    write_lora(downloads / "x.safetensors", seed=3)
    left = rows_of(tree, "organise", downloads, "--apply")["x.safetensors"]
    assert left["action"] == "leave"
    assert "`x-2.safetensors` is free" in left["conflict"]
    renamed = rows_of(tree, "organise", downloads, "--apply", "--clash", "rename")["x.safetensors"]
    assert renamed["to"] == str(tree.models / "loras" / "x-2.safetensors")
    assert there.read_bytes() == before
    assert (tree.models / "loras" / "x-2.safetensors").samefile(downloads / "x.safetensors")


def test_what_the_library_has_already_is_left(tree, downloads: Path) -> None:
    write_lora(tree.models / "loras" / "sub" / "known.safetensors", seed=2)
    write_lora(downloads / "new name.safetensors", seed=2)
    write_lora(downloads / "one.safetensors", seed=4)
    write_lora(downloads / "two.safetensors", seed=4)
    plan = rows_of(tree, "organise", downloads)
    assert plan["new name.safetensors"]["action"] == "skip"
    assert plan["new name.safetensors"]["to"].endswith("sub/known.safetensors")
    assert plan["one.safetensors"]["action"] == "link"
    assert plan["two.safetensors"]["action"] == "skip"


def test_bad_input_is_reported_and_the_rest_goes_on(tree, downloads: Path) -> None:
    tree.environment["COMFYSTOW_LIBRARY_SETTLE_SECONDS"] = "600"
    good = write_lora(downloads / "good.safetensors")
    content = good.read_bytes()
    write_still(downloads / "empty.safetensors", b"")
    write_still(downloads / "cut.safetensors", content[: len(content) // 2])
    write_still(downloads / "header.safetensors", (1 << 40).to_bytes(8, "little") + b"{}")
    write_still(downloads / "page.safetensors", b"<!DOCTYPE html><html></html>")
    write_still(downloads / "text.gguf", b"hello")
    write_still(downloads / "pickle.pt", b"\x80\x02.")
    write_lora(downloads / "line\nend.safetensors", seed=5)
    write_lora(downloads / "\N{BOOKS}.safetensors", seed=6)
    write_lora(downloads / f"{'n' * 243}.safetensors", seed=7)
    write_lora(Path(os.fsdecode(os.fsencode(downloads) + b"/\xff.safetensors")), seed=8)
    write_lora(downloads / "GOOD.safetensors", seed=9)
    write_lora(downloads / "fresh.safetensors", seed=10, age_seconds=0.5)
    write_lora(downloads / "arriving.safetensors", seed=11)
    write_still(downloads / "arriving.safetensors.aria2", b"")
    write_still(downloads / "half.safetensors.part", b"x")
    (downloads / "loop").symlink_to(downloads)
    (downloads / "nowhere.safetensors").symlink_to("gone")
    done = tree.run("organise", downloads, "--apply", "--json")
    assert done.returncode == 0, done.stderr
    rows = {Path(row["from"]).name: row for row in json.loads(done.stdout)}
    taken = {name for name, row in rows.items() if row["action"] == "link"}
    assert taken == {"GOOD.safetensors", "\N{BOOKS}.safetensors"}
    assert all(row["conflict"] for name, row in rows.items() if name not in taken)
    assert "differs by case alone" in rows["good.safetensors"]["conflict"]
    assert "damaged" in rows["cut.safetensors"]["conflict"]
    assert "empty" in rows["empty.safetensors"]["conflict"]
    assert "arriving" in rows["arriving.safetensors"]["conflict"]
    assert "any code" in rows["pickle.pt"]["conflict"]
    for told in ("loop: a link to a folder", "nowhere.safetensors: the link leads nowhere", "half.safetensors.part"):
        assert told in done.stderr
    assert sorted(path.name for path in (tree.models / "loras").iterdir()) == sorted(taken)


def test_another_volume_needs_a_choice(tree, downloads: Path, far: Path) -> None:
    lora = write_lora(far / "far.safetensors")
    left = rows_of(tree, "organise", far)["far.safetensors"]
    assert left["action"] == "leave"
    assert "choose copy, sym or move" in left["conflict"]
    placed = tree.models / "loras" / "far.safetensors"
    assert rows_of(tree, "organise", far, "--link", "sym", "--apply")["far.safetensors"]["method"] == "symlink"
    assert placed.is_symlink()
    assert placed.samefile(lora)
    tree.run("undo")
    assert rows_of(tree, "organise", far, "--link", "copy", "--apply")["far.safetensors"]["step"] == "done"
    assert placed.read_bytes() == lora.read_bytes()
    assert not placed.is_symlink()
    tree.run("undo")
    content = lora.read_bytes()
    assert rows_of(tree, "organise", far, "--link", "move", "--apply")["far.safetensors"]["step"] == "done"
    assert not lora.exists()
    assert placed.read_bytes() == content
    tree.run("undo")
    assert lora.read_bytes() == content
    assert not placed.exists()


def test_nothing_tells_and_a_person_chooses(tree, downloads: Path) -> None:
    write_still(downloads / "odd.safetensors", save({"strange.key": np.zeros(3, np.float16)}))
    assert "choose" in rows_of(tree, "organise", downloads)["odd.safetensors"]["conflict"]
    chosen = rows_of(tree, "organise", downloads, "--apply", "--choose", "odd.safetensors=vae")["odd.safetensors"]
    assert chosen["to"] == str(tree.models / "vae" / "odd.safetensors")
    wrong = rows_of(tree, "organise", downloads, "--choose", "odd.safetensors=custom_nodes")["odd.safetensors"]
    assert "no folder `custom_nodes`" in wrong["conflict"]


def test_a_pickle_is_scanned_and_only_its_name_is_believed(tree, downloads: Path) -> None:
    tree.environment["COMFYSTOW_ALLOW_PICKLE"] = "1"
    harmless = _pickled(seed=1)
    write_still(downloads / "style_lora.pt", harmless)
    write_still(downloads / "nameless.pt", harmless)
    write_still(downloads / "evil_lora.pt", b"cos\nsystem\n(S'echo'\ntR.")
    rows = rows_of(tree, "organise", downloads)
    assert rows["style_lora.pt"]["to"] == str(tree.models / "loras" / "style_lora.pt")
    assert "by its name alone" in rows["style_lora.pt"]["reason"]
    assert "choose" in rows["nameless.pt"]["conflict"]
    assert rows["evil_lora.pt"]["action"] == "leave"
    assert "system" in rows["evil_lora.pt"]["conflict"]


def test_a_plan_is_carried_out_as_it_was_shown_or_not_at_all(tree, downloads: Path) -> None:
    """What changed between plan and apply is left alone."""
    from comfystow.core.config import load_settings
    from comfystow.core.engine.sync_client import SyncEngineClient

    lora = write_lora(downloads / "x.safetensors")
    kept = write_lora(downloads / "y.safetensors", seed=2)
    assert tree.run("organise", downloads).returncode == 0
    with SyncEngineClient(tree.state_dir, load_settings(tree.environment)) as client:
        plan = client.call("POST", "/library/organise", {"directory": str(downloads)})
        write_lora(lora, seed=3)
        done = client.call("POST", "/library/organise", {"apply": plan["id"]})
        assert [row["note"] for row in done["actions"]] == ["it has changed since the plan was made"]
        assert (done["done"], done["skipped"]) == (1, 1)
        assert client.call("POST", "/library/organise", {"apply": plan["id"]})["done"] == 1
        status, answer = client.request("POST", "/library/dedupe", {"apply": plan["id"]})
        assert (status, answer["error"]["code"]) == (409, "conflict")
        status, answer = client.request("POST", "/library/organise", {"apply": "nothing"})
        assert (status, answer["error"]["code"]) == (404, "not_found_here")
    assert (tree.models / "loras" / "y.safetensors").samefile(kept)
    assert not (tree.models / "loras" / "x.safetensors").exists()


def test_read_only_shows_and_changes_nothing(tree, downloads: Path) -> None:
    write_lora(downloads / "x.safetensors")
    tree.environment["COMFYSTOW_READ_ONLY"] = "1"
    assert rows_of(tree, "organise", downloads)["x.safetensors"]["action"] == "link"
    done = tree.run("organise", downloads, "--apply")
    assert done.returncode == 1
    assert "COMFYSTOW_READ_ONLY" in done.stderr
    assert list((tree.models / "loras").iterdir()) == []


def test_a_killed_engine_is_followed_by_one_that_ends_the_change(tree, downloads: Path) -> None:
    for number in range(400):
        write_lora(downloads / f"{number}.safetensors", seed=number)
    command = tree.start("organise", downloads, "--apply", "--json")
    placed = tree.models / "loras"
    wait_for(lambda: placed.exists() and any(placed.iterdir()), seconds=60)
    for pid in living_engines(tree.state_dir):
        os.kill(pid, signal.SIGKILL)
    out, said = command.communicate(timeout=100)
    assert command.returncode == 0, said
    assert {row["step"] for row in json.loads(out)} == {"done"}
    assert len(list(placed.iterdir())) == 400


def test_watch_organises_what_arrives(tree, downloads: Path) -> None:
    tree.environment |= {"COMFYSTOW_ORGANISE_CHECK_SECONDS": "0.1", "COMFYSTOW_LIBRARY_SETTLE_SECONDS": "0.2"}
    write_lora(downloads / "first.safetensors")
    watch = tree.start("organise", downloads, "--apply", "--watch")
    try:
        wait_for(lambda: (tree.models / "loras" / "first.safetensors").exists())
        arriving = downloads / "second.safetensors"
        whole = write_lora(tree.models.parent / "whole.safetensors", seed=2).read_bytes()
        with arriving.open("wb") as out:
            for start in range(0, len(whole), len(whole) // 4):
                out.write(whole[start : start + len(whole) // 4])
                out.flush()
                time.sleep(0.1)
        wait_for(lambda: (tree.models / "loras" / "second.safetensors").exists())
    finally:
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=30)
    assert watch.returncode == 130
    assert (tree.models / "loras" / "second.safetensors").samefile(arriving)


def test_the_engine_organises_the_folders_of_its_setting_and_leaves_what_was_taken_back(tree, downloads: Path) -> None:
    tree.environment |= {
        "COMFYSTOW_ORGANISE_FOLDERS": str(downloads),
        "COMFYSTOW_ORGANISE_CHECK_SECONDS": "0.1",
        "COMFYSTOW_LIBRARY_SETTLE_SECONDS": "0.2",
    }
    write_lora(downloads / "first.safetensors")
    tree.run("trash")  # starts the engine
    placed = tree.models / "loras"
    wait_for(lambda: (placed / "first.safetensors").exists())
    wait_for(lambda: tree.json("undo", "--list"))
    assert tree.run("undo").returncode == 0
    write_lora(downloads / "second.safetensors", seed=2)
    wait_for(lambda: (placed / "second.safetensors").exists())
    assert not (placed / "first.safetensors").exists()
