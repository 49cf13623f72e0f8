"""The Dockerfile, built by BuildKit: what is cached, what is in the image, and what must not be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.docker_engine import DockerEngine
from support.image_build import Build, Context

pytestmark = pytest.mark.timeout(900)


def layers(engine: DockerEngine, tag: str) -> list[str]:
    return json.loads(engine.docker("image", "inspect", tag, "--format", "{{json .RootFS.Layers}}").stdout)


@contextmanager
def edited(context: Context, name: str, line: str) -> Iterator[None]:
    path = context.folder / name
    before = path.read_text()
    path.write_text(f"{before}{line}\n")
    try:
        yield
    finally:
        path.write_text(before)


def test_nothing_runs_again_when_nothing_changed(
    docker_engine: DockerEngine, context: Context, arguments: dict[str, str], cold_build: Build
) -> None:
    again = context.build(docker_engine, "pod:again", arguments)
    assert again.run == []
    assert len(again.cached) == len(cold_build.run)
    assert layers(docker_engine, "pod:again") == layers(docker_engine, "comfystow-pod:test")


def test_a_code_edit_re_runs_the_last_layer_alone(
    docker_engine: DockerEngine, context: Context, arguments: dict[str, str], image: str
) -> None:
    with edited(context, "core/errors/__init__.py", "# edited"):
        build = context.build(docker_engine, "pod:code", arguments)
    assert [" ".join(step.split()[:3]) for step in build.run] == [
        "code COPY core",
        "code RUN python3",
        "pod COPY --from=code",
    ]
    before, after = layers(docker_engine, image), layers(docker_engine, "pod:code")
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]
    assert len(build.cached) / len(build.steps) > 0.8


def test_a_requirements_edit_keeps_debian_torch_and_comfyui(
    docker_engine: DockerEngine, context: Context, arguments: dict[str, str], image: str
) -> None:
    with edited(context, "docker/requirements/pod.txt", "# edited"):
        build = context.build(docker_engine, "pod:requirements", arguments)
    assert {step.split()[0] for step in build.run} == {"environment", "pod"}
    (install,) = [step for step in build.run if "RUN" in step.split()[:2]]
    assert "pod.txt" in install
    # uv's cache mount had all of it: nothing came over the network a second time.
    assert "Downloading" not in build.output
    kept = [step for step in build.cached if re.search(r"torch|apt-get|comfyui\.txt|COPY --from=comfyui", step)]
    assert len(kept) >= 6


@pytest.mark.long
def test_a_torch_edit_keeps_debian_and_downloads_nothing_else_again(
    docker_engine: DockerEngine, context: Context, arguments: dict[str, str], image: str
) -> None:
    with edited(context, "docker/requirements/torch/cu130.txt", "# edited"):
        build = context.build(docker_engine, "pod:torch", arguments)
    assert [step for step in build.run if "apt-get" in step] == []
    assert "Downloading" not in build.output


def test_a_changed_package_list_does_not_load_the_same_packages_again(
    docker_engine: DockerEngine, context: Context, arguments: dict[str, str], image: str
) -> None:
    """docker-clean would have emptied the mount, and apt would say how much it needs to get."""
    build = context.build(docker_engine, "pod:apt", {**arguments, "EXTRA_PACKAGES": "tini"}, "--target", "base")
    (install,) = [step for step in build.run if "apt-get" in step]
    assert "tini" in build.output
    assert re.search(r"Need to get 0 B/[\d.]+ [kM]B of archives", build.output), install


def test_comfyui_comes_from_a_local_folder_too(
    docker_engine: DockerEngine, context: Context, arguments: dict[str, str], image: str
) -> None:
    folder = context.folder / "docker" / "comfyui"
    folder.mkdir()
    (folder / "main.py").write_text("print('a ComfyUI of mine')\n")
    try:
        local = {**arguments, "COMFYUI_SOURCE": "local"}
        build = context.build(docker_engine, "pod:local", local, "--target", "comfyui")
    finally:
        (folder / "main.py").unlink()
        folder.rmdir()
    assert not any(step.startswith("comfyui-git") for step in build.steps)
    words = ["run", "--rm", "--network", "host", "pod:local", "python3", "/opt/comfyui/main.py"]
    assert docker_engine.docker(*words).stdout == "a ComfyUI of mine\n"


def test_a_file_that_is_not_the_locked_one_is_refused(
    docker_engine: DockerEngine, context: Context, arguments: dict[str, str], image: str
) -> None:
    lock = context.folder / "docker" / "requirements" / "pod.txt"
    before = lock.read_text()
    lock.write_text(
        re.sub(r"(?m)^(supervisor==.*\\\n)(    --hash=.*\n)+", rf"\1    --hash=sha256:{'0' * 64}\n", before)
    )
    try:
        build = context.build(docker_engine, "pod:forged", arguments, check=False)
    finally:
        lock.write_text(before)
    assert "Hash mismatch for `supervisor" in build.output


# What is in it


def inside(engine: DockerEngine, image: str, script: str) -> str:
    return engine.docker("run", "--rm", "--network", "host", "--entrypoint", "bash", image, "-c", script).stdout


def test_it_holds_no_compiler_no_git_and_no_cache(docker_engine: DockerEngine, image: str) -> None:
    found = inside(
        docker_engine,
        image,
        "for name in gcc cc c++ g++ clang make cmake nvcc ld as git pip uv; do command -v $name; done;"
        "find /var/cache/apt /var/lib/apt/lists /var/cache/uv /root /opt/tools -type f -size +0 2>/dev/null; true",
    )
    assert found == ""


def test_every_file_of_the_program_belongs_to_root_and_is_read_only_for_the_pod(
    docker_engine: DockerEngine, image: str
) -> None:
    """What a node breaks into cannot change the program, and no layer holds the tree a second time for a chown."""
    script = "id -u; find /opt /usr -xdev \\( -writable -o ! -uid 0 \\) -not -type l -print -quit"
    assert inside(docker_engine, image, script) == "1000\n"


def test_cuda_is_at_most_once_in_it(docker_engine: DockerEngine, image: str) -> None:
    script = "find / -xdev \\( -name 'libcudart*' -o -name 'libcublas*' -o -name 'libcudnn*' \\) 2>/dev/null; true"
    assert inside(docker_engine, image, script) == ""


def test_its_configuration(docker_engine: DockerEngine, image: str) -> None:
    config = json.loads(docker_engine.docker("image", "inspect", image, "--format", "{{json .Config}}").stdout)
    assert config["User"] == "1000:1000"
    assert config["Entrypoint"] == ["/usr/bin/tini", "--", "comfystow", "pod", "up"]
    assert config["Healthcheck"]["Test"] == ["CMD", "comfystow", "pod", "health"]
    assert config["Healthcheck"]["StartPeriod"] >= 600 * 10**9
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["ExposedPorts"]) == ["8188/tcp"]
    names = {line.partition("=")[0] for line in config["Env"]}
    assert not names & {"CUDA_VISIBLE_DEVICES", "LD_PRELOAD", "PYTORCH_CUDA_ALLOC_CONF", "SSL_CERT_FILE"}
    assert {"title", "licenses", "source", "version", "revision"} <= {
        label.removeprefix("org.opencontainers.image.") for label in config["Labels"]
    }


def test_later_installations_may_not_replace_torch(docker_engine: DockerEngine, image: str) -> None:
    script = "echo $PIP_CONSTRAINT $UV_CONSTRAINT; test -f $PIP_CONSTRAINT && echo there"
    assert inside(docker_engine, image, script).split() == ["/opt/requirements/constraints.txt"] * 2 + ["there"]
