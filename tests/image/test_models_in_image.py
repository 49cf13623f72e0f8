"""Models at build time: what a lock lists is in the image, and the token that it took is in none of its layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hub.server import Hub
from hub.tokens import HF_TOKEN
from support.comfyui import hub_environment
from support.docker_engine import DockerEngine
from support.image_build import Context

from .locking import write_lock

pytestmark = pytest.mark.timeout(600)

GATED = "hf://Comfy-Stow/gated-demo/stow_gated.safetensors"
FILE = "/opt/models/loras/stow_gated.safetensors"
TAG = "pod:models"


@pytest.fixture(scope="module")
def with_models(
    docker_engine: DockerEngine,
    context: Context,
    arguments: dict[str, str],
    image: str,
    running_hub: Hub,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Lock one model that asks for a token, and build an image with it."""
    running_hub.reset()
    folder, lock = tmp_path_factory.mktemp("lock"), context.folder / "docker" / "models.lock"
    write_lock(lock, running_hub, {GATED: "loras"}, folder, token=HF_TOKEN)
    hub = hub_environment(running_hub)
    secret = folder / "hf_token"
    secret.write_text(HF_TOKEN)
    try:
        wanted = {**arguments, **hub, "MODELS": "lock", "MANIFEST": "models.lock"}
        refused = context.build(docker_engine, TAG, wanted, check=False)
        assert "ERROR" in refused.output  # without the token there is no image, and no image without the model
        build = context.build(docker_engine, TAG, wanted, "--secret", f"id=hf_token,src={secret}")
    finally:
        lock.unlink()
    assert not [step for step in build.run if step.startswith("environment")]
    return TAG


def test_the_model_is_there_whole(docker_engine: DockerEngine, with_models: str, running_hub: Hub) -> None:
    script = (
        f"sha256sum {FILE}; cat /opt/comfyui/extra_model_paths.yaml; echo $COMFYSTOW_MANIFEST; find /opt/models -type f"
    )
    said = docker_engine.docker("run", "--rm", "--network", "host", "--entrypoint", "bash", TAG, "-c", script).stdout
    (digest,) = [entry["sha256"] for entry in running_hub.files(digests=True) if "stow_gated" in json.dumps(entry)]
    assert said.split()[0] == digest
    assert "base_path: /opt/models\n  loras: loras\n" in said
    assert said.splitlines()[-3] == "/opt/pod/models.lock"
    assert {line for line in said.splitlines() if line.startswith("/opt/models/")} == {
        FILE,
        "/opt/models/extra_model_paths.yaml",
    }


def test_comfyui_lists_the_model_where_it_lies(docker_engine: DockerEngine, with_models: str) -> None:
    """Its own `folder_paths` finds the folder; the lock is there without a volume and without a network."""
    words = [
        "comfystow",
        "sync",
        "--check",
        "/opt/pod/models.lock",
        "--comfyui",
        "/opt/comfyui",
        "--state-dir",
        "/tmp/s",
    ]
    docker_engine.docker("run", "--rm", "--network", "none", "--entrypoint", "", TAG, *words)


def test_the_token_is_in_no_layer_and_no_history(docker_engine: DockerEngine, with_models: str) -> None:
    assert HF_TOKEN not in docker_engine.docker("history", "--no-trunc", "--format", "{{json .}}", TAG).stdout
    assert HF_TOKEN not in docker_engine.docker("image", "inspect", TAG).stdout
    laid = docker_engine.docker("image", "inspect", TAG, "--format", "{{json .GraphDriver.Data}}").stdout
    folders = [Path(name) for key in ("UpperDir", "LowerDir") for name in json.loads(laid)[key].split(":")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.name == "stow_gated.safetensors" for path in files)
    assert [path for path in files if HF_TOKEN.encode() in path.read_bytes()] == []
