"""`pod up` where things are missing or refused: volumes, packages, keys; and what it says without doing it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from comfystow.core.engine.log import LOG_NAME
from comfystow.core.pod.services.processes import runs
from support.engines import wait_for
from support.leftovers import marked_pids
from support.pods import RunningPod
from support.setup.workshop import ComfyInstall

pytestmark = [pytest.mark.timeout(400)]

SHIM = Path(__file__).resolve().parents[1] / "support" / "refusing_volume.c"


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the library that refuses."""
    library = tmp_path_factory.mktemp("shim") / "refusing.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", library, SHIM, "-ldl"], check=True)
    return library


@pytest.fixture
def make_pod(comfyui_home: ComfyInstall, tmp_path: Path) -> Iterator[Callable[..., RunningPod]]:
    """Make pods with the file service alone, over a ComfyUI whose own folders of work are the test's."""
    made: list[RunningPod] = []
    root = tmp_path / "comfyui"
    root.mkdir()
    for entry in comfyui_home.root.iterdir():
        if entry.name not in {"user", "input", "output", "temp"}:
            (root / entry.name).symlink_to(entry)

    def make(**env: str) -> RunningPod:
        volume = tmp_path / "volume"
        given = {"COMFYUI_PATH": str(root), "COMFYSTOW_SERVICES": "files", "HF_ENDPOINT": "http://127.0.0.1:9", **env}
        pod = RunningPod(comfyui_home, volume, given)
        made.append(pod)
        return pod

    yield make
    for pod in made:
        pod.close()


def test_volume_that_refuses_owners_and_modes_is_used_and_holds_no_password(make_pod, shim: Path) -> None:
    """Network volumes refuse chown, which ended the start of other templates (`chown: /workspace: not permitted`)."""
    pod = make_pod()
    pod.env |= {"LD_PRELOAD": str(shim), "REFUSE": "owners", "REFUSE_BELOW": str(pod.volume)}
    pod.up()
    assert pod.service("files")["state"] == "ready"
    assert "it refuses modes or owners" in pod.line("volume")["detail"]
    assert not (pod.volume / "user" / "__comfystow" / "pod-passwords.json").exists()
    kept = pod.run_dir / "r" / "pod" / "pod-passwords.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (pod.volume / "output").is_dir()
    assert pod.end() == 0


def test_volume_that_cannot_be_written_is_said_and_the_pod_runs_on(make_pod, shim: Path, tmp_path: Path) -> None:
    pod = make_pod()
    lora = pod.volume / "models" / "loras"
    lora.mkdir(parents=True)
    pod.env |= {"LD_PRELOAD": str(shim), "REFUSE": "writes", "REFUSE_BELOW": str(pod.volume)}
    pod.up()
    assert pod.service("files")["state"] == "ready"
    line = pod.line("volume")
    assert line["state"] == "warn"
    assert "cannot be written (Read-only file system)" in line["detail"]
    assert (tmp_path / "comfyui" / "user").is_dir()
    assert not (pod.volume / "user").exists()
    yaml = (pod.run_dir / "r" / "pod" / "extra_model_paths.yaml").read_text()
    assert str(pod.volume) in yaml  # its models are read all the same


def test_volume_that_is_not_there_is_said_and_the_pod_runs_on(make_pod, tmp_path: Path) -> None:
    pod = make_pod(COMFYSTOW_VOLUME=str(tmp_path / "nowhere"))
    pod.up()
    assert pod.service("files")["state"] == "ready"
    assert "it is not there" in pod.line("volume")["detail"]
    assert not (tmp_path / "nowhere").exists()
    assert pod.end() == 0


@pytest.mark.parametrize(
    ("mode", "why"),
    [("hangs", "it did not answer within 1.5 s"), ("gone", "Transport endpoint is not connected")],
)
def test_volume_that_hangs_or_broke_is_said_and_the_pod_runs_on(make_pod, shim: Path, mode: str, why: str) -> None:
    """A thread that touches a dead network volume never comes back; nobody waits for it."""
    pod = make_pod(COMFYSTOW_VOLUME_SECONDS="1.5")
    pod.env |= {"LD_PRELOAD": str(shim), "REFUSE": mode, "REFUSE_BELOW": str(pod.volume)}
    pod.up()
    assert pod.service("files")["state"] == "ready"
    assert why in pod.line("volume")["detail"]
    assert "Traceback" not in pod.log
    assert pod.end() == 0


def test_ssh_runs_when_a_key_is_given_and_takes_that_key_alone(make_pod, tmp_path: Path) -> None:
    keys = [tmp_path / "mine", tmp_path / "other"]
    for key in keys:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    pod = make_pod(COMFYSTOW_SERVICES="ssh", PUBLIC_KEY=keys[0].with_suffix(".pub").read_text())
    pod.up()
    assert pod.service("ssh")["state"] == "ready", pod.log

    def log_in(key: Path) -> subprocess.CompletedProcess[str]:
        options = [
            "StrictHostKeyChecking=no",
            f"UserKnownHostsFile={tmp_path / 'known'}",
            "BatchMode=yes",
            "IdentitiesOnly=yes",
        ]
        words = ["ssh", "-F", "none", "-i", key, "-p", str(pod.ports["ssh"]), *(f"-o{option}" for option in options)]
        return subprocess.run([*words, "127.0.0.1", "echo in"], capture_output=True, text=True, timeout=60, check=False)

    assert log_in(keys[0]).stdout == "in\n"
    refused = log_in(keys[1])
    assert refused.returncode == 255
    assert "publickey" in refused.stderr
    host_key = pod.volume / "user" / "__comfystow" / "ssh_host_ed25519_key"
    assert host_key.stat().st_mode & 0o777 == 0o600


def test_without_supervisor_it_says_what_to_install(make_pod, comfyui_home: ComfyInstall) -> None:
    pod = make_pod()
    words = [str(comfyui_home.bare_python), *pod.words("pod", "up")[1:]]
    done = subprocess.run(words, env=pod.env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "needs the package supervisor" in done.stderr
    assert '-m pip install "supervisor>=4.3"' in done.stderr


def test_dry_run_says_everything_and_does_nothing(make_pod, tmp_path: Path) -> None:
    services = tmp_path / "services.yaml"
    services.write_text("services: [{name: board, command: [sleep, '60'], port: 6006}]\n")
    pod = make_pod(COMFYSTOW_SERVICES="comfyui,jupyter,files", COMFYSTOW_SERVICES_FILE=str(services),
                   COMFYSTOW_FILES_PASSWORD="s3cret-word", COMFYSTOW_MODELS="hf://a/b/c.safetensors",
                   COMFYSTOW_COMFYUI_ARGUMENTS="--cpu --use-flash-attention-2", PYTHONGC="1")  # fmt: skip
    before = sorted(path for path in pod.volume.rglob("*"))
    done = pod.run("pod", "up", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert sorted(path for path in pod.volume.rglob("*")) == before
    assert not (pod.run_dir / "r").exists()
    for said in (f"volume: {pod.volume}", "comfyui: ", "--extra-model-paths-config", "board: ", "fetch: COMFYSTOW_MODELS",
                 "does not know `--use-flash-attention-2`", "PYTHONGC"):  # fmt: skip
        assert said in done.stdout, said
    assert "--use-flash-attention-2" not in next(
        line for line in done.stdout.splitlines() if line.startswith("comfyui:")
    )
    assert "s3cret-word" not in done.stdout


def test_mistakes_in_what_the_owner_gave_stop_no_service(make_pod, tmp_path: Path) -> None:
    """A container that ends at once is started again for ever, and costs money meanwhile."""
    services = tmp_path / "services.yaml"
    services.write_text("services: [{name: a, command: [sh]}]\n")
    pod = make_pod(COMFYSTOW_SERVICES_FILE=str(services), COMFYSTOW_COMFYUI_ARGUMENTS="--a 'b")
    (pod.volume / "models.yaml").write_text("version: 7\n")
    pod.up()
    assert pod.service("files")["state"] == "ready"
    assert "line 1" in pod.line("services of your own")["detail"]
    assert "cannot be read" in pod.line("arguments of your own")["detail"]
    pod.until(lambda: any(row["what"] == "models to fetch" for row in pod.state()["boot"]), "word of the manifest")
    assert "version 7 is not known" in pod.line("models to fetch")["detail"]


def test_health_without_a_pod_is_ill(make_pod) -> None:
    done = make_pod().run("pod", "health", "--json")
    assert done.returncode == 1
    assert '"error": "no pod runs on this machine"' in done.stdout


def test_number_of_an_earlier_container_s_process_refuses_no_start(make_pod) -> None:
    """A container that was killed leaves `pod.json`; after its restart the number in it is anybody's, as ours here."""
    pod = make_pod()
    base = pod.run_dir / "r"
    base.mkdir(mode=0o700)
    told = {"pid": os.getpid(), "comfyui": "/", "state_dir": "/", "socket": str(base / "pod.sock")}
    (base / "pod.json").write_text(json.dumps(told))
    (base / "pod.json").chmod(0o600)
    pod.launch()
    pod.until(lambda: "boot report" in pod.log, "the boot report")
    assert pod.end() == 0


@pytest.mark.parametrize("sign", ["supervisord.conf", "supervisor.sock", "children/files.json"])
def test_term_at_any_moment_of_the_start_leaves_nothing_behind(make_pod, sign: str) -> None:
    pod = make_pod().launch()
    pod.until((pod.run_dir / "r" / "pod" / sign).exists, sign)
    pod.end()
    wait_for(lambda: not marked_pids(pod._mark))  # what ComfyUI was asked may have to be answered first
    if "boot report" not in pod.log:  # no engine was needed yet, and none is started to be told to leave
        assert not (pod.volume / "user" / "__comfystow" / LOG_NAME).exists()


def test_next_pod_ends_what_a_killed_one_left(make_pod) -> None:
    pod = make_pod().up()
    left = pod.service("files")["pid"]
    pod.process.kill()
    pod.process.wait()
    assert runs(left)
    pod.up()
    pod.until(lambda: pod.service("files")["state"] == "ready", "the file service")
    assert not runs(left)
    assert pod.service("files")["restarts"] == 0
    assert pod.end() == 0
