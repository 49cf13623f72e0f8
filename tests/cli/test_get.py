"""`comfystow get` against the local hub: what arrives, what is said, and the exit codes."""

from __future__ import annotations

import hashlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hub.server import Hub
from support.engines import CHECKOUT, kill, living_engines, wait_for

if TYPE_CHECKING:
    from conftest import Tree

VAE = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"
LORA = "hf://Comfy-Stow/lora-demo/stow_style.safetensors"
GATED = "hf://Comfy-Stow/gated-demo/stow_gated.safetensors"
BIG = "hf://Comfy-Stow/big-models/big_8mib.safetensors"
KEYS = ["ref", "state", "path", "folder", "size_bytes", "sha256", "bytes_fetched", "seconds", "error"]


def test_files_arrive_whole_and_are_told_in_order(tree: Tree) -> None:
    rows = tree.json("get", LORA, VAE, "--to", "loras")
    assert [list(row) for row in rows] == [KEYS, KEYS]
    assert [row["ref"] for row in rows] == [LORA, VAE]
    for row, name in zip(rows, ("stow_style.safetensors", "taesd.safetensors"), strict=True):
        path = tree.models / "loras" / name
        assert row["path"] == str(path)
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert row["size_bytes"] == row["bytes_fetched"] == path.stat().st_size
        assert (row["state"], row["folder"], row["error"]) == ("completed", "loras", None)
        assert row["seconds"] > 0
    again = tree.json("get", LORA, "--to", "loras")
    assert (again[0]["state"], again[0]["bytes_fetched"]) == ("completed", 0)


def test_data_goes_to_stdout_and_words_to_stderr(tree: Tree) -> None:
    done = tree.run("get", VAE, "--to", "vae/tiny", "--name", "own name.safetensors")
    path = tree.models / "vae" / "tiny" / "own name.safetensors"
    assert (done.returncode, done.stdout) == (0, f"{path}\n")
    assert "own name.safetensors: completed, 4.9 MB, whole" in done.stderr
    assert "\x1b" not in done.stderr
    assert path.is_file()


def test_one_failure_hinders_no_other_and_each_is_listed(tree: Tree, hub: Hub) -> None:
    done = tree.run("get", "hf://Comfy-Stow/lora-demo/nothing.safetensors", VAE, "nonsense", "--to", "vae")
    assert done.returncode == 1  # of two classes: not found is 1, wrong use is 2
    assert done.stdout == f"{tree.models / 'vae' / 'taesd.safetensors'}\n"
    assert "nonsense:\nerror: " in done.stderr
    assert "nothing.safetensors:\nerror: " in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nonsense"], 2, "hf://OWNER/REPO"),
        ([VAE, "--to", "custom_nodes"], 2, "custom_nodes"),
        ([VAE, "--to", "vae", "--name", "../../x.safetensors"], 2, "cannot be a file name"),
        ([VAE, "--to", "vae", "--sha256", "0" * 64], 6, "sha256"),
        (["https://192.0.2.1/x.safetensors", "--to", "vae"], 7, "192.0.2.1"),
        (["hf://Comfy-Stow/lora-demo/nothing.safetensors", "--to", "loras"], 1, "nothing.safetensors"),
        ([GATED, "--to", "loras"], 4, "comfystow auth set huggingface"),
        ([VAE, LORA, "--name", "x"], 2, "--name"),
        ([VAE, "--connections", "0"], 2, "--connections"),
        ([VAE, "--limit-rate", "fast"], 2, "fast"),
    ],
)
def test_exit_code_and_hint_of_each_refusal(
    shared_tree: Tree, hub: Hub, words: list[str], code: int, said: str
) -> None:
    done = shared_tree.run("get", *words)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "error: " in done.stderr
    assert list(shared_tree.models.rglob("*.safetensors")) == []


def test_dry_run_shows_the_plan_and_writes_nothing(shared_tree: Tree, hub: Hub) -> None:
    (row,) = shared_tree.json("get", VAE, "--to", "vae", "--dry-run")
    assert list(row) == ["action", "from", "to", "method", "bytes", "reason", "conflict"]
    assert (row["action"], row["to"]) == ("fetch", str(shared_tree.models / "vae" / "taesd.safetensors"))
    assert row["bytes"] == 4_903_146
    refused = shared_tree.run("get", VAE, GATED, "--to", "vae", "--dry-run")
    assert refused.returncode == 4
    assert "refuse: hf://Comfy-Stow/gated-demo" in refused.stdout
    assert re.search(
        r"\(4\.9 MB\) from hf://Comfy-Stow/taesd-demo@[0-9a-f]{8}/taesd\.safetensors$", refused.stdout, re.MULTILINE
    )
    assert list(shared_tree.models.rglob("*.safetensors*")) == []


def test_dead_hub_is_a_network_failure(tree: Tree) -> None:
    tree.environment |= {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "COMFYSTOW_ALLOW_HOSTS": "127.0.0.1:9",
        "COMFYSTOW_RETRY_LIMIT": "1",
        "COMFYSTOW_RETRY_MAX_SECONDS": "0.1",
    }
    done = tree.run("get", VAE, "--to", "vae")
    assert done.returncode == 7, done.stderr


def test_no_room_is_exit_5(tree: Tree) -> None:
    tree.environment["COMFYSTOW_FREE_SPACE_FLOOR_BYTES"] = "1000T"
    done = tree.run("get", VAE, "--to", "vae")
    assert done.returncode == 5, done.stderr
    assert "hint:" in done.stderr


def test_token_from_stdin_opens_the_gate(tree: Tree, hub: Hub) -> None:
    assert tree.run("get", GATED, "--to", "loras").returncode == 4
    kept = tree.run("auth", "set", "huggingface", input=hub.hf_token + "\n")
    assert kept.returncode == 0
    assert hub.hf_token not in kept.stdout + kept.stderr
    done = tree.run("get", GATED, "--to", "loras")
    assert (done.returncode, done.stdout) == (0, f"{tree.models / 'loras' / 'stow_gated.safetensors'}\n"), done.stderr


def test_token_of_the_callers_environment_serves_its_own_download(tree: Tree, hub: Hub) -> None:
    assert tree.run("downloads").returncode == 0  # an engine without a token lives
    tree.environment["HF_TOKEN"] = hub.hf_token
    assert tree.run("get", GATED, "--to", "loras").returncode == 0


def test_token_that_comes_later_lets_the_same_command_through(tree: Tree, hub: Hub) -> None:
    assert tree.run("get", GATED, "--to", "loras").returncode == 4
    tree.environment["HF_TOKEN"] = hub.hf_token
    done = tree.run("get", GATED, "--to", "loras")
    assert done.returncode == 0, done.stderr


def test_reference_given_twice_is_fetched_once(shared_tree: Tree, hub: Hub) -> None:
    rows = shared_tree.json("get", LORA, LORA, "--to", "checkpoints")
    assert [row["state"] for row in rows] == ["completed", "completed"]
    assert rows[0]["path"] == rows[1]["path"]
    (shared_tree.models / "checkpoints" / "stow_style.safetensors").unlink()


def _pace(hub: Hub, bytes_per_second: int = 50_000) -> None:
    """Let the file take minutes, whatever the test and its machine take, unless it is to come."""
    hub.fault("rate", file="big_8mib*", bytes_per_second=bytes_per_second)


def test_ctrl_c_pauses_what_the_command_submitted_and_the_same_command_goes_on(tree: Tree, hub: Hub) -> None:
    _pace(hub)
    get = tree.start("get", BIG, "--to", "loras", "--connections", "1")
    part = tree.models / "loras" / "big_8mib.safetensors.part"
    wait_for(lambda: part.exists() and part.stat().st_blocks)
    get.send_signal(signal.SIGINT)
    _, said = get.communicate(timeout=60)
    assert get.returncode == 130
    assert "paused" in said
    (row,) = tree.json("downloads")
    assert row["state"] == "paused"
    hub.clear_faults()
    (again,) = tree.json("get", BIG, "--to", "loras")
    assert again["state"] == "completed"
    assert again["sha256"] == hashlib.sha256((tree.models / "loras" / "big_8mib.safetensors").read_bytes()).hexdigest()
    assert not part.exists()


def test_ctrl_c_leaves_alone_what_another_command_submitted(tree: Tree, hub: Hub) -> None:
    _pace(hub)
    assert tree.run("get", BIG, "--to", "loras", "--connections", "1", "--detach").returncode == 0
    get = tree.start("get", BIG, "--to", "loras")
    assert get.stderr is not None
    get.stderr.readline()  # it follows
    get.send_signal(signal.SIGINT)
    get.communicate(timeout=60)
    assert get.returncode == 130
    (row,) = tree.json("downloads")
    assert row["state"] not in {"paused", "cancelled", "failed"}


def test_detach_returns_at_once_and_the_engine_goes_on(tree: Tree, hub: Hub) -> None:
    tree.environment["COMFYSTOW_ENGINE_IDLE_SECONDS"] = "0.3"
    _pace(hub, 400_000)
    done = tree.run("get", BIG, "--to", "loras", "--detach", "--json")
    assert done.returncode == 0
    assert '"path": null' in done.stdout
    path = tree.models / "loras" / "big_8mib.safetensors"
    assert not path.exists()
    wait_for(path.exists, 60)
    wait_for(lambda: not living_engines(tree.state_dir))  # nothing to do, nobody there


def test_killed_engine_is_followed_by_the_next_and_the_file_is_right(tree: Tree, hub: Hub) -> None:
    _pace(hub)
    get = tree.start("get", BIG, "--to", "loras", "--json")
    part = tree.models / "loras" / "big_8mib.safetensors.part"
    wait_for(lambda: part.exists() and part.stat().st_blocks)
    kill(living_engines(tree.state_dir)[0])
    hub.clear_faults()
    out, said = get.communicate(timeout=90)
    assert get.returncode == 0, said
    path = tree.models / "loras" / "big_8mib.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest() in out


def _on_terminal(tree: Tree, *words: str, **environment: str) -> tuple[int, str]:
    """Run a command whose standard error is a terminal."""
    own, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(CHECKOUT), *words],
        cwd=tree.models,
        env={**os.environ, **tree.environment, "TERM": "xterm-256color", "COLUMNS": "120", **environment},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            more = os.read(own, 65536)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        said += more
    os.close(own)
    return process.wait(60), said.decode()


def test_terminal_sees_a_bar_and_no_color_is_respected(tree: Tree, hub: Hub) -> None:
    pytest.importorskip("rich")
    hub.fault("rate", file="big_8mib*", bytes_per_second=4 << 20)
    code, said = _on_terminal(tree, "get", BIG, "--to", "loras", "--connections", "1")
    assert code == 0
    assert "━" in said
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", said)
    assert "big_8mib.safetensors: completed" in said
    code, plain = _on_terminal(tree, "get", BIG, "--to", "vae", "--connections", "1", NO_COLOR="1")
    assert code == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain)
    assert "big_8mib.safetensors: completed" in plain


def test_a_history_that_is_short_hides_no_result(tree: Tree, hub: Hub) -> None:
    tree.environment["COMFYSTOW_HISTORY_LIMIT"] = "1"
    hub.fault("rate", file="big_8mib*", bytes_per_second=2_000_000)
    rows = tree.json("get", VAE, BIG, "--connections", "1", "--to", "vae")
    assert [row["path"] and Path(row["path"]).is_file() for row in rows] == [True, True]
