"""The other commands, and what all have in common."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from comfystow.core.cli.main import COMMANDS
from hub.server import Hub
from support.engines import CHECKOUT, comfystow, living_engines, wait_for

if TYPE_CHECKING:
    from conftest import Tree

VAE = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"


def _imported(*words: str) -> set[str]:
    """Run the command line and list the modules that it imported."""
    code = (
        f"import sys; sys.argv = ['comfystow', *{list(words)!r}]; sys.path.insert(0, {str(CHECKOUT / 'tests')!r});"
        f"import runpy, atexit; atexit.register(lambda: print('MODULES', *sys.modules));"
        f"runpy.run_path({str(CHECKOUT)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    return set(done.stdout.rpartition("MODULES ")[2].split())


# Start


def test_help_imports_next_to_nothing() -> None:
    modules = _imported("--help")
    assert "comfystow.core.cli.main" in modules
    assert not modules & {"asyncio", "aiohttp", "json", "http.client", "dataclasses", "subprocess", "rich"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_is_a_short_way(command: str) -> None:
    done = comfystow(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: comfystow {command}")
    assert not _imported(command, "--help") & {"asyncio", "aiohttp", "huggingface_hub", "rich"}


def test_short_lived_client_imports_neither_asyncio_nor_aiohttp(shared_tree: Tree) -> None:
    words = ["downloads", "--state-dir", str(shared_tree.state_dir)]
    assert not _imported(*words) & {"asyncio", "aiohttp", "huggingface_hub", "rich"}


def test_wrong_words_are_exit_2() -> None:
    for words in ([], ["get"], ["engine", "dance"], ["get", "--no-such-option"]):
        done = comfystow(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: comfystow" in done.stderr


def test_version_is_the_packages() -> None:
    assert comfystow("--version").stdout.startswith("comfystow ")


def test_nothing_but_the_command_line_prints() -> None:
    prints = [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for path in (CHECKOUT / "core").rglob("*.py")
        if "cli" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == []


# Where


def test_outside_of_everything_the_hint_says_what_to_give(tmp_path: Path) -> None:
    done = comfystow("downloads", cwd=tmp_path)
    if done.returncode == 0:  # this checkout lies in a ComfyUI
        pytest.fail("run the tests of a checkout that lies in no ComfyUI")
    assert done.returncode == 2
    assert "--comfyui DIR, --models-dir DIR" in done.stderr


def test_tree_is_found_from_inside_it(shared_tree: Tree) -> None:
    done = comfystow("engine", "--json", cwd=shared_tree.models / "loras", env=shared_tree.environment)
    assert done.returncode == 0, done.stderr
    named = comfystow("engine", "--json", "--models-dir", shared_tree.models, env=shared_tree.environment)
    assert json.loads(done.stdout).keys() == json.loads(named.stdout).keys()


def test_bare_tree_holds_nothing_but_models(tree: Tree) -> None:
    assert tree.run("get", VAE, "--to", "vae").returncode == 0
    files = sorted(str(path.relative_to(tree.models)) for path in tree.models.rglob("*") if path.is_file())
    assert files == ["vae/taesd.safetensors"]


# The queue


def test_queue_is_listed_and_steered(tree: Tree, hub: Hub) -> None:
    hub.fault("rate", file="big_8mib*", bytes_per_second=20_000)
    big = "hf://Comfy-Stow/big-models/big_8mib.safetensors"
    for name in ("one", "two"):
        words = ("get", big, "--to", "loras", "--name", f"{name}.safetensors", "--connections", "1", "--detach")
        assert tree.run(*words).returncode == 0
    first, second = (row["id"] for row in tree.json("downloads"))
    assert tree.json("downloads", "pause", second)[0]["state"] == "paused"
    assert [row["id"] for row in tree.json("downloads", "priority", second)] == [second]
    assert [row["id"] for row in tree.json("downloads")] == [second, first]
    limited = tree.json("downloads", "limit", first, "--rate", "20K")
    assert [row["request"]["limit_rate_bytes_per_second"] for row in limited] == [20_000]
    lifted = tree.json("downloads", "limit", first, "--rate", "0")
    assert [row["request"]["limit_rate_bytes_per_second"] for row in lifted] == [None]
    assert tree.run("downloads", "limit", first).returncode == 2
    assert {row["state"] for row in tree.json("downloads", "pause")} == {"paused"}
    assert {row["state"] for row in tree.json("downloads", "retry")} == {"paused"}  # none of them failed
    assert "paused" not in {row["state"] for row in tree.json("downloads", "resume")}
    cancelled = tree.json("downloads", "cancel", first, second)
    assert [row["state"] for row in cancelled] == ["cancelled", "cancelled"]
    assert list((tree.models / "loras").iterdir()) == []
    unknown = tree.run("downloads", "pause", "nothing")
    assert unknown.returncode == 1
    assert "nothing" in unknown.stderr
    assert tree.run("downloads", "cancel").returncode == 2


def test_follow_shows_changes_until_it_is_ended(tree: Tree) -> None:
    follow = tree.start("downloads", "--follow")
    assert tree.run("get", VAE, "--to", "vae").returncode == 0
    assert follow.stdout is not None
    line = ""
    while "completed" not in line:
        line = follow.stdout.readline()
        assert line
    assert "taesd.safetensors" in line
    follow.terminate()
    follow.communicate()


# Workflows


def _workflow(url: str, *, name: str = "taesd.safetensors") -> dict[str, object]:
    node = {
        "id": 1,
        "type": "VAELoader",
        "mode": 0,
        "widgets_values": [name],
        "properties": {"models": [{"name": name, "url": url, "directory": "vae"}]},
    }
    return {"nodes": [node], "links": [], "version": 0.4}


@pytest.fixture
def workflow(tmp_path: Path, hub: Hub) -> Path:
    path = tmp_path / "workflow.json"
    url = f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors"
    path.write_text(json.dumps(_workflow(url)))
    return path


def test_missing_is_exit_3_and_ensure_makes_it_0(tree: Tree, workflow: Path) -> None:
    (report,) = tree.json("missing", workflow, code=3)
    assert report["workflow"] == str(workflow)
    assert report["error"] is None
    (model,) = report["models"]
    assert (model["name"], model["folder"], model["state"]) == ("taesd.safetensors", "vae", "missing")
    assert model["candidates"][0]["confidence"] in {"exact", "high"}

    shown = tree.run("ensure", workflow, "--dry-run")
    assert shown.returncode == 0
    assert str(tree.models / "vae" / "taesd.safetensors") in shown.stdout
    unasked = tree.run("ensure", workflow, stdin=subprocess.DEVNULL)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    assert list((tree.models / "vae").iterdir()) == []

    (row,) = tree.json("ensure", workflow, "--yes")
    assert row["path"] == str(tree.models / "vae" / "taesd.safetensors")
    (report,) = tree.json("missing", workflow)
    assert report["models"][0]["state"] == "present"
    assert tree.run("ensure", workflow, "--yes").returncode == 0


def test_ensure_fetches_nothing_that_is_only_guessed(tree: Tree, tmp_path: Path) -> None:
    path = tmp_path / "unknown.json"
    path.write_text(json.dumps(_workflow("", name="nobody-knows-this-one.safetensors")))
    done = tree.run("ensure", path, "--yes")
    assert done.returncode == 1
    assert "nobody-knows-this-one.safetensors" in done.stderr
    assert list((tree.models / "vae").iterdir()) == []


def test_unreadable_workflow_has_its_error_and_hinders_no_other(tree: Tree, workflow: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    reports = tree.json("missing", tmp_path, code=2)
    assert [Path(report["workflow"]).name for report in reports] == ["broken.json", "workflow.json"]
    assert reports[0]["error"]["code"] == "bad_workflow"
    assert reports[1]["error"] is None


# Tokens


def test_token_is_taken_from_stdin_only_and_never_shown(tree: Tree, hub: Hub) -> None:
    assert tree.run("auth", "test", "huggingface").returncode == 4
    assert tree.run("auth", "set", "huggingface", hub.hf_token).returncode == 2
    done = tree.run("auth", "set", "hf", "--json", input=hub.hf_token)
    assert json.loads(done.stdout) == {"provider": "huggingface", "is_set": True, "origin": "credentials.json"}
    tried = tree.run("auth", "test", "huggingface")
    assert tried.returncode == 0, tried.stderr
    assert "works" in tried.stderr
    assert tree.run("auth", "clear", "huggingface").returncode == 0
    assert tree.run("auth", "test", "huggingface").returncode == 4
    assert tree.run("auth", "set", "huggingface", input="").returncode == 2
    assert tree.run("auth", "test").returncode == 2


def test_access_secret_is_made_once_and_is_its_owners(tree: Tree) -> None:
    first, second = tree.run("auth", "secret").stdout, tree.run("auth", "secret").stdout
    assert first == second
    assert re.fullmatch(r"[\w-]{32}\n", first)
    (file,) = [path for path in tree.state_dir.iterdir() if "secret" in path.name]
    assert file.stat().st_mode & 0o777 == 0o600
    assert living_engines(tree.state_dir) == []


# The engine


def test_engine_tells_runs_and_stops(tree: Tree) -> None:
    assert tree.json("engine") == {"running": False}
    assert tree.run("downloads").returncode == 0
    status = tree.json("engine", "status")
    assert status["running"] is True
    assert living_engines(tree.state_dir) == [status["pid"]]
    stopped = tree.run("engine", "stop")
    assert (stopped.returncode, stopped.stdout) == (0, "")
    wait_for(lambda: living_engines(tree.state_dir) == [])


@pytest.mark.parametrize("spelling", ["python FOLDER", "python FOLDER/__main__.py", "python -m comfystow"])
def test_command_line_works_under_any_spelling(spelling: str, tmp_path: Path) -> None:
    folder = tmp_path / "comfystow"
    folder.symlink_to(CHECKOUT)
    words = {"python FOLDER": [str(folder)], "python FOLDER/__main__.py": [str(folder / "__main__.py")]}
    command = words.get(spelling, ["-m", "comfystow"])
    done = subprocess.run(
        [sys.executable, *command, "auth", "secret", "--state-dir", str(tmp_path / "state")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 20
