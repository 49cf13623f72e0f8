"""What a terminal, a pipe, an old locale or a stranger's text do to the command line: no traceback, no escape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.engines import CHECKOUT, comfystow

if TYPE_CHECKING:
    from conftest import Tree

OLD_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
HOSTILE = "a\x1b[2J\x1b]0;owned\x07.safetensors"


def in_a_shell(tree: Tree, words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        f'"{sys.executable}" "{CHECKOUT}" {words}',
        shell=True,
        cwd=tree.models,
        env={**os.environ, **tree.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("words", [["--help"], ["get", "--help"], ["help", "pod"]])
def test_an_old_locale_loses_letters_and_nothing_else(words: list[str]) -> None:
    done = comfystow(*words, env=OLD_LOCALE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: comfystow")
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["metrics"], ["ls", "--json"]])
def test_a_full_disk_behind_the_output_is_an_error_and_no_traceback(shared_tree: Tree, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, str(CHECKOUT), *words],
            cwd=shared_tree.models,
            env={**os.environ, **shared_tree.environment},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    assert "error: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(("closing", "code"), [("2>&-", 2), (">&-", 2), ("<&- >&- 2>&-", 2)])
def test_closed_streams_change_no_exit_code(shared_tree: Tree, closing: str, code: int) -> None:
    done = in_a_shell(shared_tree, f"get nonsense {closing}")
    assert done.returncode == code
    assert "Traceback" not in done.stdout + done.stderr


def test_a_reader_that_has_enough_ends_the_command_quietly(shared_tree: Tree) -> None:
    done = in_a_shell(shared_tree, "metrics | head -1")
    assert done.stdout.startswith("# HELP")
    assert done.stderr == ""


def _workflow(path: Path, name: str) -> Path:
    node = {"id": 7, "type": "VAELoader", "widgets_values": [name]}
    path.write_text(json.dumps({"nodes": [node], "links": [], "version": 0.4}))
    return path


def test_what_a_stranger_wrote_moves_no_cursor(shared_tree: Tree, tmp_path: Path) -> None:
    done = shared_tree.run("missing", "--offline", _workflow(tmp_path / "w.json", HOSTILE))
    assert "skipped  node 7" in done.stdout
    fetched = shared_tree.run("get", f"https://huggingface.co/a/b/resolve/main/{HOSTILE}")
    searched = shared_tree.run("search", HOSTILE)
    for text in (done.stdout, done.stderr, fetched.stdout, fetched.stderr, searched.stdout, searched.stderr):
        assert "\x1b" not in text
        assert "\x07" not in text


def test_a_file_of_a_folder_that_is_no_workflow_is_named(shared_tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    _workflow(tmp_path / "right.json", "x.safetensors")
    done = shared_tree.run("missing", "--offline", tmp_path)
    assert f"{tmp_path / 'broken.json'}:\nerror: " in done.stderr
    assert "broken" not in done.stdout
    assert "missing  vae/x.safetensors" in done.stdout


def test_an_empty_queue_says_so(other_tree: Tree) -> None:
    done = other_tree.run("downloads")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "the queue is empty\n")
