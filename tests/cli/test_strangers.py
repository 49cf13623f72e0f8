"""What a stranger types first: nothing is there yet, words are wrong, and programs want JSON of all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.engines import comfystow

if TYPE_CHECKING:
    from conftest import Tree


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["downlaods"], "hint: `comfystow downloads`?"),
        (["nonsense"], "hint: `comfystow --help` lists them"),
        (["help", "nonsense"], "hint: `comfystow --help` lists them"),
    ],
)
def test_unknown_command_is_told_with_the_nearest_one(words: list[str], hint: str) -> None:
    done = comfystow(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [f"error: there is no command `{words[-1]}`", hint]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["undo", "--list"], "no change of files was made yet"),
        (["downloads", "list"], "the queue is empty"),
        (["downloads", "pause"], "there is nothing to pause"),
        (["missing", "."], "no file in `.` can hold a workflow: they end with .json, .png or .webp"),
        (["ensure", "."], "nothing is to be fetched"),
        (
            ["pod", "stop", "--dry-run"],
            "nothing would be called: no provider is recognised, neither RunPod nor vast.ai",
        ),
        (["prune", "--to", "1G", "--apply"], "nothing is to be done"),
    ],
)
def test_where_there_is_nothing_it_is_said(shared_tree: Tree, words: list[str], said: str) -> None:
    done = shared_tree.run(*words)
    assert (done.returncode, done.stdout) == (0, "")
    assert said in done.stderr.splitlines()
    assert "trash empty" not in done.stderr  # nothing was moved there
    if words[0] != "pod":
        assert shared_tree.json(*words) == []


def test_without_a_provider_it_is_said_what_to_set(shared_tree: Tree) -> None:
    done = shared_tree.run("pod", "stop")
    assert done.returncode == 1
    assert "hint: set COMFYSTOW_IDLE_STOP_COMMAND to what stops this machine" in done.stderr
    assert shared_tree.json("pod", "stop", "--dry-run")["steps"] == []
    with_one = {**shared_tree.environment, "COMFYSTOW_IDLE_STOP_COMMAND": "poweroff now"}
    done = comfystow("pod", "stop", "--dry-run", cwd=shared_tree.models, env=with_one)
    assert done.stdout == "would: COMFYSTOW_IDLE_ACTION=stop poweroff now\n"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["undo"], 1, "conflict"),
        (["undo", "nonsense"], 1, "not_found_here"),
        (["trash", "empty", "nonsense"], 1, "not_found_here"),
        (["trash", "put"], 2, "usage"),
        (["downloads", "cancel"], 2, "usage"),
        (["ensure"], 2, "usage"),
        (["sync", "nonsense.lock"], 2, "bad_manifest"),
        (["store", "ls"], 2, "bad_setting"),
        (["auth", "test", "huggingface"], 4, "token_required"),
        (["metrics"], 2, "usage"),
        (["metrics", "--target", "x:1"], 2, "usage"),
    ],
)
def test_programs_read_why_there_is_no_data(shared_tree: Tree, words: list[str], code: int, error: str) -> None:
    done = shared_tree.run(*words, "--json")
    assert done.returncode == code, done.stderr
    (line,) = done.stdout.splitlines()  # one, since some commands print an object a line
    told = json.loads(line)["error"]
    assert told["code"] == error
    assert told["message"]


def test_programs_read_what_could_not_be_read(shared_tree: Tree, tmp_path: Path) -> None:
    (report,) = shared_tree.json("missing", "nonsense.json", code=2)
    assert report["error"]["hint"] == "check the path"
    assert shared_tree.json("ensure", "nonsense.yaml", code=2) == []
    assert shared_tree.json("lock", "nonsense.json", code=2)["errors"][0]["code"] == "bad_workflow"
    (row,) = shared_tree.json("inspect", "loras/nonsense.safetensors", code=1)
    assert row["error"]["message"] == "cannot read `loras/nonsense.safetensors`: No such file or directory"
    written = shared_tree.json("metrics", "--write", tmp_path)
    assert all(Path(path).is_file() for path in written)


@pytest.mark.parametrize(
    "words",
    [
        ["ls", "--limit", "-1"],
        ["search", "x", "--limit", "0"],
        ["get", "hf://a/b/c.safetensors", "--connections", "many"],
        ["monitor", "--once", "--interval", "nan"],
        ["monitor", "--once", "--interval", "0"],
    ],
)
def test_numbers_that_mean_nothing_are_refused(words: list[str]) -> None:
    done = comfystow(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"`{words[-1]}` is no " in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["downloads", "--state-dir", ""],
        ["downloads", "--models-dir", ""],
        ["engine", "run", "--state-dir", ""],
        ["organise", ""],
        ["dedupe", ""],
        ["prune", "--to", "1G", ""],
        ["missing", ""],
        ["sync", ""],
        ["manifest", "--library", "-o", ""],
        ["metrics", "--write", ""],
        ["pod", "up", "--volume", ""],
    ],
)
def test_empty_path_is_not_the_folder_that_one_stands_in(tmp_path: Path, words: list[str]) -> None:
    """What a script hands over whose variable is not set."""
    done = comfystow(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "the path is empty" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_empty_word_is_none_and_does_not_stand_for_all_or_the_last(tree: Tree) -> None:
    lora = tree.models / "loras" / "kept.safetensors"
    lora.write_bytes(b"\2\0\0\0\0\0\0\0{}")
    assert tree.run("trash", "put", lora, "--apply").returncode == 0
    for words in (
        ["undo", ""],
        ["downloads", "pause", ""],
        ["trash", "put", ""],
        ["trash", "empty", "--apply", ""],
        ["auth", "clear", ""],
        ["inspect", ""],
        ["get", ""],
        ["get", "hf://a/b/c.safetensors", "--to", ""],
    ):
        done = tree.run(*words)
        assert done.returncode in {1, 2}, words
        assert "error: " in done.stderr, words
    assert [row["kind"] for row in tree.json("undo", "--list")] == ["delete"]
    assert len(tree.json("trash")) == 1
    assert tree.json("downloads") == []


def test_what_is_left_to_the_engine_is_told_and_can_be_followed_as_data(tree: Tree) -> None:
    tree.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"  # nothing is there: it waits for its host
    done = tree.run("get", "hf://a/b/c.safetensors", "--to", "loras", "--detach")
    assert done.stderr == "left to the engine: `comfystow downloads` shows how far it is\n"
    following = tree.start("downloads", "--follow", "--json")
    row = json.loads(following.stdout.readline())
    following.terminate()
    assert following.communicate()[1] == "following the queue; Ctrl-C ends it\n"
    assert row["source"] == "hf://a/b/c.safetensors"
    assert tree.run("downloads", "pause").stdout == f"{row['id']}  hf://a/b/c.safetensors: paused\n"


def test_state_that_cannot_be_written_is_told(shared_tree: Tree) -> None:
    for form in ([], ["--json"]):
        done = shared_tree.run("downloads", "--state-dir", "/proc/nowhere", *form)
        assert done.returncode == 1
        assert "hint: is `/proc/nowhere` writable?" in done.stderr
        assert json.loads(done.stdout)["error"]["code"] == "engine_unavailable" if form else done.stdout == ""
