"""The Dockerfile by its text: hadolint's judgement, and one test for each mistake of the template it replaces.

These run everywhere; what a build really does is in test_build.py.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.setup.workshop import CHECKOUT

from .dockerfile import chain_of, instructions_of, parents_of

DOCKERFILE = CHECKOUT / "docker" / "Dockerfile"
ALL = instructions_of(DOCKERFILE)
FINAL = chain_of(ALL, "pod")
IN_FINAL = [entry for entry in ALL if entry.stage in FINAL]
RUNS = [entry.value for entry in ALL if entry.name == "RUN"]


def hadolint(file: Path) -> subprocess.CompletedProcess[str]:
    words = [Path(sys.executable).with_name("hadolint"), "--no-color", "--config", CHECKOUT / ".hadolint.yaml", file]
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, check=False)


def test_hadolint_finds_nothing() -> None:
    done = hadolint(DOCKERFILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_would_find_a_requirement_that_the_shell_takes_for_a_redirection(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text(DOCKERFILE.read_text() + "USER 0\nRUN pip install pillow>=9.0.0 numpy>=1.25\n")
    done = hadolint(bad)
    assert done.returncode != 0
    assert "SC2261" in done.stdout


def test_it_uses_what_docker_20_10_knows() -> None:
    assert not [
        entry for entry in ALL if entry.name in {"RUN", "COPY"} and re.search(r"<<-?['\"]?[A-Z]+\b", entry.value)
    ]
    assert not [
        entry for entry in ALL if re.search(r"--(link|exclude|parents|checksum|network|security)\b", entry.value)
    ]


# The mistakes of the template, one by one


def test_stages_are_no_linear_chain() -> None:
    """The pod stands on a few stages and copies from others, so that tools stay out of it."""
    assert FINAL == ["base", "environment", "pod"]
    assert set(parents_of(ALL)) - set(FINAL) >= {"tools", "comfyui", "code", "models"}


def test_no_switch_turns_the_caches_off() -> None:
    text = DOCKERFILE.read_text()
    assert not re.search(r"NO_CACHE|--no-cache", text)
    installs = [run for run in RUNS if re.search(r"\b(pip|uv|apt-get) .*install", run)]
    assert installs
    for run in installs:
        assert "--mount=type=cache" in run, run


def test_apt_keeps_what_it_downloads_into_the_cache_mount() -> None:
    for run in (run for run in RUNS if "apt-get" in run):
        assert "apt-get clean" not in run
        assert "/var/lib/apt/lists/*" not in run
        assert run.count("sharing=locked") == 2
    first = next(run for run in RUNS if "apt-get" in run)
    assert first.index("docker-clean") < first.index("apt-get update")
    assert "Keep-Downloaded-Packages" in first


def test_requirements_are_no_redirections() -> None:
    """Unquoted, `pillow>=9` writes a file `=9` and asks for any pillow."""
    assert not [run for run in RUNS if re.search(r"[\w\]]>=?\s*\d", run)]


def test_no_braces_that_another_shell_takes_literally() -> None:
    assert not [run for run in RUNS if re.search(r"(?<!\$)\{\w+,\w", run)]


def test_no_failure_is_lost_in_the_background() -> None:
    assert not [run for run in RUNS if re.search(r"[^&>]&(?![&>])", run)]
    assert not [run for run in RUNS if re.search(r"\bwait\b|\|\| *true", run)]
    shell = next(entry for entry in ALL if entry.name == "SHELL")
    assert shell.stage == "base"
    assert "pipefail" in shell.value


def test_nothing_unverified_and_nothing_latest_is_downloaded() -> None:
    text = DOCKERFILE.read_text()
    assert not re.search(r"\b(curl|wget)\b|^ADD ", text, re.MULTILINE)
    assert "latest" not in text
    for run in (run for run in RUNS if "--requirement /opt/requirements/" in run):
        assert "--require-hashes" in run, run
    assert not re.search(r"amd64|x86_64", text)  # nothing is for one processor only


def test_nothing_replaces_torch() -> None:
    after_torch = [run for run in RUNS if "uv pip install" in run and "TORCH_SPEC" not in run]
    assert after_torch
    for run in after_torch:
        assert "--no-deps --require-hashes" in run or "without-torch.txt" in run, run
    for lock in ("comfyui.txt", "pod.txt"):
        names = (CHECKOUT / "docker" / "requirements" / lock).read_text()
        assert not re.search(r"(?m)^(torch|torchvision|torchaudio|xformers|triton|nvidia-c\S+)==(?!.*'none')", names)


def test_who_runs_the_pod_writes_nowhere_but_in_its_own_folders() -> None:
    assert [entry.value for entry in IN_FINAL if entry.name == "USER"] == ["1000:1000"]
    assert IN_FINAL[-1].name == "LABEL"
    after_user = IN_FINAL[[entry.name for entry in IN_FINAL].index("USER") :]
    assert not [entry for entry in after_user if entry.name in {"RUN", "COPY"}]
    assert not [run for run in RUNS if re.search(r"chown|chmod .*-R|sysctl", run)]


def test_all_paid_gpus_are_visible() -> None:
    values = " ".join(entry.value for entry in ALL if entry.name == "ENV")
    assert "CUDA_VISIBLE_DEVICES" not in values
    assert "NVIDIA_VISIBLE_DEVICES=all" in values
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in values


def test_no_compiler_and_no_node_in_the_pod() -> None:
    text = " ".join(entry.value for entry in IN_FINAL)
    assert not re.search(r"build-essential|gcc|g\+\+|cmake|nodejs|python3-dev|-devel", text)
    # Without a compiler a package without a wheel could not be installed: it is refused where it would begin.
    for run in (entry.value for entry in IN_FINAL if "uv pip install" in entry.value):
        assert "--no-build" in run


def test_cuda_comes_once() -> None:
    base = next(entry.value for entry in ALL if entry.value.startswith("BASE_IMAGE="))
    assert re.fullmatch(r"BASE_IMAGE=python:3\.\d+-slim-\w+", base)


def test_health_is_asked_of_our_own_command_and_a_long_start_is_no_failure() -> None:
    (check,) = [entry.value for entry in ALL if entry.name == "HEALTHCHECK"]
    assert check.endswith('CMD ["comfystow", "pod", "health"]')
    assert "--start-period=10m" in check


def test_the_port_is_comfyuis() -> None:
    assert [entry.value for entry in ALL if entry.name == "EXPOSE"] == ["8188"]


def test_modes_are_numbers() -> None:
    assert not re.search(r"--chmod=\+", DOCKERFILE.read_text())


def test_tini_reaps_and_passes_signals_on() -> None:
    (entry,) = [entry.value for entry in ALL if entry.name == "ENTRYPOINT"]
    assert entry.startswith('["/usr/bin/tini", "--", "comfystow"')
    assert [entry.value for entry in ALL if entry.name == "STOPSIGNAL"] == ["SIGTERM"]


def test_the_context_is_only_what_is_copied() -> None:
    lines = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        word
        for entry in ALL
        if entry.name == "COPY" and "--from=" not in entry.value
        for word in entry.value.split()[:-1]
    }
    copied = {re.sub(r"^docker/requirements/.*", "docker/requirements", word) for word in copied} - {"docker/models.*"}
    assert copied | {"docker/models.yaml", "docker/models.lock"} == allowed


def test_tokens_are_secrets_of_one_step() -> None:
    declared = [entry.value for entry in ALL if entry.name in {"ARG", "ENV"}]
    assert not [value for value in declared if re.search(r"token|secret|password|api_key", value, re.IGNORECASE)]
    using = [run for run in RUNS if "type=secret" in run]
    assert len(using) == 1
    assert {"id=hf_token", "id=civitai_token"} <= set(re.findall(r"id=\w+", using[0]))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("apt-get install", "requirements/torch "),
        ("requirements/torch ", "requirements/comfyui.txt"),
        ("requirements/comfyui.txt", "--from=comfyui "),
        ("--from=comfyui ", "requirements/pod.txt"),
        ("requirements/pod.txt", "--from=models"),
        ("--from=models", "--from=code"),
    ],
)
def test_what_changes_more_often_lies_higher(earlier: str, later: str) -> None:
    values = [entry.value for entry in IN_FINAL if entry.name in {"RUN", "COPY"}]
    place = {what: next(i for i, value in enumerate(values) if what in value) for what in (earlier, later)}
    assert place[earlier] < place[later]


def test_the_code_is_the_last_layer() -> None:
    last = [entry for entry in IN_FINAL if entry.name in {"RUN", "COPY", "ADD", "WORKDIR"}][-1]
    assert last.value.startswith("--from=code ")
