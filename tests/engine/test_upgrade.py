"""Two versions of the tree on one state folder: the newer replaces the older, and the older says so."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from comfystow.core.engine.sync_client import SyncEngineClient
from support.engines import CHECKOUT, comfystow, living_engines, wait_for

OpenClient = Callable[..., SyncEngineClient]


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the tree of a later version, under another folder name."""
    tree = tmp_path_factory.mktemp("trees") / "ComfyStow-next"
    tree.mkdir()
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(CHECKOUT / name, tree / name)
    shutil.copytree(CHECKOUT / "core", tree / "core", ignore=shutil.ignore_patterns("__pycache__"))
    for file, pattern, text in (
        ("core/engine/protocol.py", r"^PROTOCOL_VERSION = .*$", "PROTOCOL_VERSION = 1000"),
        ("__init__.py", r"^__version__ = .*$", '__version__ = "99.0.0"'),
    ):
        changed, count = re.subn(pattern, text, (tree / file).read_text(), flags=re.MULTILINE)
        assert count == 1
        (tree / file).write_text(changed)
    return tree


def _status(tree: Path, state_dir: Path) -> dict[str, object]:
    done = comfystow("engine", "status", "--json", "--state-dir", state_dir, tree=tree)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_newer_caller_replaces_an_older_engine_and_the_queue_stays(
    newer: Path, open_client: OpenClient, state_dir: Path
) -> None:
    client = open_client()
    kept = client.call(
        "POST",
        "/downloads",
        {"source": "hf://a/b/c.safetensors", "folder_name": "loras"},
    )
    old = client.engine.info.pid
    listed = comfystow("downloads", "--json", "--state-dir", state_dir, tree=newer)
    assert listed.returncode == 0, listed.stderr
    assert [row["id"] for row in json.loads(listed.stdout)] == [kept["id"]]
    status = _status(newer, state_dir)
    assert status["version"] == "99.0.0"
    assert status["pid"] != old
    wait_for(lambda: living_engines(state_dir) == [status["pid"]])


def test_older_caller_is_told_to_update_and_the_newer_engine_stays(newer: Path, state_dir: Path) -> None:
    assert comfystow("downloads", "--state-dir", state_dir, tree=newer).returncode == 0
    before = _status(newer, state_dir)["pid"]
    refused = comfystow("downloads", "--state-dir", state_dir)
    assert refused.returncode == 1
    assert "a newer ComfyStow (99.0.0, process" in refused.stderr
    assert "update this one" in refused.stderr
    assert _status(newer, state_dir)["pid"] == before


def test_many_newer_callers_replace_an_older_engine_once(newer: Path, open_client: OpenClient, state_dir: Path) -> None:
    open_client().call("GET", "/engine")
    words = [sys.executable, str(newer), "downloads", "--json", "--state-dir", str(state_dir)]
    callers = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    outs = [caller.communicate(timeout=100)[0] for caller in callers]
    assert [caller.returncode for caller in callers] == [0] * 6
    assert [json.loads(out) for out in outs] == [[]] * 6
    log = (state_dir / "engine.log").read_text()
    assert log.count("engine 99.0.0 answers") == 1


def test_database_of_a_newer_version_is_refused_with_a_word(open_client: OpenClient, state_dir: Path) -> None:
    with open_client() as client:
        client.call("GET", "/downloads")
        client.stop(reason="test")
    with sqlite3.connect(state_dir / "comfystow.sqlite") as database:
        database.execute("UPDATE parts SET version = 1000")
    database.close()
    refused = comfystow("downloads", "--state-dir", state_dir)
    assert refused.returncode in {1, 2}
    assert "newer ComfyStow" in refused.stderr
    assert "hint:" in refused.stderr
    assert living_engines(state_dir) == []
