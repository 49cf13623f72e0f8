"""The image, run as a pod is: real ComfyUI 0.3.75 on the processor, a hub on this machine, a volume of somebody else's.

The image itself holds no torch (see conftest.py); this machine's own is mounted under its packages, read-only.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hub.server import Hub
from support.ask import ask
from support.comfyui import free_port, hub_environment
from support.docker_engine import DockerEngine
from support.image_build import Context
from support.setup.workshop import CHECKOUT

from .locking import write_lock

pytestmark = pytest.mark.timeout(600)

LORA = "hf://Comfy-Stow/lora-demo/stow_style.safetensors"
VAE = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"
HEALTHY_SECONDS = 180.0
ARRIVED_SECONDS = 90.0
STOP_SECONDS = 30
#: Neither the pod's user nor root: as an NFS server shows files of people it does not know.
NOBODY = 65534


@dataclass(slots=True)
class Container:
    """A pod in its container."""

    engine: DockerEngine
    name: str
    volume: Path
    port: int
    metrics_port: int

    def state(self) -> dict:
        return json.loads(self.engine.docker("inspect", self.name, "--format", "{{json .State}}").stdout)

    def logs(self) -> str:
        done = self.engine.docker("logs", self.name)
        return done.stdout + done.stderr

    def run(self, *words: str) -> str:
        return self.engine.docker("exec", self.name, *words).stdout

    def wait_until_healthy(self) -> dict:
        deadline = time.monotonic() + HEALTHY_SECONDS
        while (state := self.state())["Health"]["Status"] != "healthy":
            assert state["Running"], self.logs()
            assert time.monotonic() < deadline, f"{json.dumps(state['Health'], indent=1)}\n{self.logs()}"
            time.sleep(0.5)
        return state

    def wait_for(self, name: str) -> Path:
        """Wait until a file of the volume has arrived."""
        path = self.volume / name
        deadline = time.monotonic() + ARRIVED_SECONDS
        while not path.exists():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.2)
        return path


@pytest.fixture(scope="module")
def tags(
    docker_engine: DockerEngine,
    context: Context,
    arguments: dict[str, str],
    image: str,
    running_hub: Hub,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Build two versions of the image, each with a lock of its own; give the model's path by the tag."""
    running_hub.reset()
    lock = context.folder / "docker" / "models.lock"
    placed = {}
    for tag, (reference, folder) in {"pod:older": (LORA, "loras"), "pod:newer": (VAE, "vae")}.items():
        write_lock(lock, running_hub, {reference: folder}, tmp_path_factory.mktemp("lock") / "x")
        context.build(docker_engine, tag, {**arguments, "MANIFEST": "models.lock", "VERSION": tag})
        placed[tag] = f"models/{folder}/{reference.rpartition('/')[2]}"
    lock.unlink()
    return placed


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder that everybody may write to and that the pod does not own."""
    folder = tmp_path_factory.mktemp("pod") / "volume"
    folder.mkdir()
    folder.chmod(0o777)
    os.chown(folder, NOBODY, NOBODY)
    return folder


@contextmanager
def started(engine: DockerEngine, tag: str, volume: Path, torch_mount: list[str], hub: Hub) -> Iterator[Container]:
    ports = {"COMFYUI": free_port(), "JUPYTER": free_port(), "FILES": free_port()}
    metrics_port = free_port()
    # The service that compose adds, on this machine's own address alone.
    services = volume.parent / "services.yaml"
    row = (CHECKOUT / "docker" / "services.yaml").read_text()
    services.write_text(row.replace("0.0.0.0:9188", f"127.0.0.1:{metrics_port}").replace("9188", str(metrics_port)))
    services.chmod(0o644)
    environment = {
        **hub_environment(hub),
        **{f"COMFYSTOW_{name}_PORT": str(port) for name, port in ports.items()},
        "COMFYSTOW_LISTEN": "127.0.0.1",
        "COMFYSTOW_SERVICES_FILE": "/etc/services.yaml",
        "COMFYSTOW_COMFYUI_ARGUMENTS": "--cpu --disable-api-nodes",
    }
    words = ["run", "--detach", "--name", "pod", "--network", "host", "--volume", f"{volume}:/workspace", *torch_mount]
    words += ["--volume", f"{services}:/etc/services.yaml:ro"]
    for name, value in environment.items():
        words += ["--env", f"{name}={value}"]
    engine.docker(*words, tag)
    try:
        yield Container(engine, "pod", volume, ports["COMFYUI"], metrics_port)
    finally:
        engine.docker("rm", "--force", "pod", check=False)


@pytest.fixture(scope="module")
def pod(
    docker_engine: DockerEngine, tags: dict[str, str], volume: Path, torch_mount: list[str], running_hub: Hub
) -> Iterator[Container]:
    """Start the newer image; the tests of this file run on it in their order."""
    with started(docker_engine, "pod:newer", volume, torch_mount, running_hub) as container:
        yield container


def test_it_becomes_healthy_as_user_1000(pod: Container) -> None:
    pod.wait_until_healthy()
    assert pod.run("id", "-u") == "1000\n"
    owners = pod.run("sh", "-c", "stat -c %u /proc/[0-9]*").split()
    assert len(owners) > 3
    assert set(owners) == {"1000"}
    assert pod.run("cat", "/proc/1/comm") == "tini\n"


def test_comfyui_in_it_is_the_real_one(pod: Container) -> None:
    system = ask("GET", f"http://127.0.0.1:{pod.port}/system_stats").json()["system"]
    assert system["comfyui_version"] == "0.3.75"
    nodes = ask("GET", f"http://127.0.0.1:{pod.port}/object_info").json()
    assert "KSampler" in nodes
    assert "StowLoadVAE" in nodes


def test_the_images_lock_is_fetched_to_a_volume_that_refuses_chown(
    pod: Container, tags: dict[str, str], running_hub: Hub
) -> None:
    arrived = pod.wait_for(tags["pod:newer"])
    assert arrived.stat().st_uid == 1000
    assert pod.volume.stat().st_uid == NOBODY
    digests = {entry["sha256"] for entry in running_hub.files(digests=True)}
    assert hashlib.sha256(arrived.read_bytes()).hexdigest() in digests


def test_health_tells_each_service(pod: Container) -> None:
    said = json.loads(pod.run("comfystow", "pod", "health", "--json"))
    states = {service["name"]: service["state"] for service in said["services"]}
    assert said["healthy"]
    assert states == {"comfyui": "ready", "jupyter": "ready", "files": "ready", "ssh": "off", "metrics": "ready"}


def test_prometheus_would_find_its_numbers(pod: Container) -> None:
    """Without a secret, where compose's Prometheus looks; the engine tells what the pod's controller told it."""
    deadline = time.monotonic() + 60
    while 'comfystow_service_up{service="comfyui"} 1' not in (
        text := ask("GET", f"http://127.0.0.1:{pod.metrics_port}/metrics").body.decode()
    ):
        assert time.monotonic() < deadline, text
        time.sleep(0.5)


def test_sigterm_ends_it_in_order_and_in_time(pod: Container) -> None:
    began = time.monotonic()
    pod.engine.docker("stop", "--time", str(STOP_SECONDS), pod.name)
    seconds = time.monotonic() - began
    state = pod.state()
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False), pod.logs()
    assert seconds < STOP_SECONDS


def test_going_back_to_the_older_tag_goes_back_to_its_models(
    pod: Container,
    docker_engine: DockerEngine,
    tags: dict[str, str],
    volume: Path,
    torch_mount: list[str],
    running_hub: Hub,
) -> None:
    docker_engine.docker("rm", "--force", pod.name)
    assert not (volume / tags["pod:older"]).exists()
    with started(docker_engine, "pod:older", volume, torch_mount, running_hub) as older:
        older.wait_for(tags["pod:older"])
        older.run("comfystow", "sync", "--check", "/opt/pod/models.lock")  # fails unless all of it is there
    assert (volume / tags["pod:newer"]).exists()  # nothing is taken away
