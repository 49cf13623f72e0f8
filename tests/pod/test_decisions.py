"""What is decided without looking at anything: restarts, order, arguments, layout, tuning, provider."""

from __future__ import annotations

from pathlib import Path

import pytest
from comfystow.core.engine.installation import bare_layout
from comfystow.core.errors import ConfigError
from comfystow.core.pod.services.order import start_levels
from comfystow.core.pod.services.provider import detect_provider
from comfystow.core.pod.services.restart import RestartPolicy, after_end
from comfystow.core.pod.start.comfyui import arguments_for, flags_of, keep_known, split_arguments, without_effect
from comfystow.core.pod.start.layout import derive_layout
from comfystow.core.pod.start.tuning import Machine, added, tune
from comfystow.core.records.model import FolderLayout

POLICY = RestartPolicy(base_seconds=1, max_seconds=30, stable_seconds=60, limit=7, rare_seconds=600)


def test_pauses_double_up_to_the_longest_and_end_in_rare_tries() -> None:
    pauses, failures = [], 0
    for _ in range(8):
        verdict = after_end(POLICY, failures, None, chance=0.5)
        failures = verdict.failures
        pauses.append((verdict.pause_seconds, verdict.crash_loop))
    assert pauses == [
        (1, False), (2, False), (4, False), (8, False), (16, False), (30, False), (600, True), (600, True),
    ]  # fmt: skip


def test_jitter_stays_within_its_share() -> None:
    assert after_end(POLICY, 2, None, chance=0.0).pause_seconds == pytest.approx(4 * 0.8)
    assert after_end(POLICY, 2, None, chance=1.0).pause_seconds == pytest.approx(4 * 1.2)
    assert all(3.2 <= after_end(POLICY, 2, None).pause_seconds <= 4.8 for _ in range(50))


def test_only_a_stable_run_forgets_earlier_ends() -> None:
    assert after_end(POLICY, 5, 59.9).failures == 6
    assert after_end(POLICY, 5, 60.0).failures == 1


def test_levels_follow_needs_and_circles_are_refused() -> None:
    assert start_levels({"a": ("b",), "b": ("c",), "c": (), "d": ()}) == [["c", "d"], ["b"], ["a"]]
    with pytest.raises(ConfigError, match="in a circle: a, b"):
        start_levels({"a": ("b",), "b": ("a",), "c": ()})
    with pytest.raises(ConfigError, match="needs `x`, which is not there"):
        start_levels({"a": ("x",)})


HELP = """usage: main.py [-h] [--listen [IP]] [--lowvram] [--disable-dynamic-vram]
options:
  -h, --help            show this
  --listen [IP]         the address, see also --imaginary-flag
  --port PORT           a port
  --lowvram             has no effect when dynamic VRAM is enabled
  --disable-dynamic-vram
                        go without
"""


def test_flags_come_from_the_list_and_not_from_its_prose() -> None:
    assert flags_of(HELP) == {"--help", "--listen", "--port", "--lowvram", "--disable-dynamic-vram"}
    assert flags_of("Traceback (most recent call last):") is None


def test_unknown_flags_are_dropped_with_their_values_and_a_word() -> None:
    """One unknown flag (`--use-flash-attention-2`) kept a well-known template from starting at all."""
    words = ("--listen", "0.0.0.0", "--use-flash-attention-2", "--fast", "fp16", "more", "--port=1", "--normalvram")
    kept, dropped = keep_known(words, flags_of(HELP))
    assert kept == ("--listen", "0.0.0.0", "--port=1")
    assert [item.flag for item in dropped] == ["--use-flash-attention-2", "--fast", "--normalvram"]
    assert "would not start" in dropped[0].why
    assert keep_known(words, None) == (words, ())


def test_memory_tiers_mean_nothing_under_dynamic_memory() -> None:
    assert [item.flag for item in without_effect(["--lowvram"], flags_of(HELP))] == ["--lowvram"]
    assert without_effect(["--lowvram", "--disable-dynamic-vram"], flags_of(HELP)) == ()
    assert without_effect(["--lowvram"], frozenset({"--lowvram"})) == ()  # an older ComfyUI


def test_arguments_of_the_owner_come_last_and_are_split_as_a_shell_does() -> None:
    words = arguments_for(
        listen="0.0.0.0", port=8188, origin="https://a-8188.proxy.runpod.net", extra_model_paths=Path("/p/x.yaml"),
        folders={"user": Path("/w/user")}, more=split_arguments("--port 9 --preview-method 'latent 2'"),
    )  # fmt: skip
    assert words[-4:] == ("--port", "9", "--preview-method", "latent 2")
    assert words[words.index("--enable-cors-header") + 1] == "https://a-8188.proxy.runpod.net"
    with pytest.raises(ConfigError, match="cannot be read"):
        split_arguments("--a 'b")


def an_installation(tmp_path: Path) -> FolderLayout:
    (tmp_path / "comfyui" / "models").mkdir(parents=True)
    own = bare_layout(tmp_path / "comfyui" / "models")
    return FolderLayout(folders=own.folders, base_path=tmp_path / "comfyui")


def test_layout_names_every_folder_of_comfyui_and_prefers_the_volume(tmp_path: Path) -> None:
    own = an_installation(tmp_path)
    made = derive_layout(own, Path("/ws"), tmp_path, exists=lambda _: False, holds_models=lambda _: False)
    assert set(made.sections[0][2]) == set(own.folders)
    seen = made.seen_by_comfyui(own)
    for name, folder in own.folders.items():
        assert seen.destination(name).is_relative_to("/ws/models"), name
        assert set(folder.directories) < set(seen.folders[name].directories)
    assert seen.destination("diffusion_models") == Path("/ws/models/diffusion_models")
    assert (made.user, made.input, made.output) == (Path("/ws/user"), Path("/ws/input"), Path("/ws/output"))


def test_models_of_earlier_templates_are_listed_where_they_are(tmp_path: Path) -> None:
    """The common complaint: models at /runpod-volume/checkpoints and not in …/models/checkpoints."""
    there = {Path("/ws/checkpoints"), Path("/ws/ComfyUI/models/loras")}
    made = derive_layout(
        an_installation(tmp_path), Path("/ws"), tmp_path, exists=Path("/ws/ComfyUI/user").__eq__,
        holds_models=there.__contains__,
    )  # fmt: skip
    assert [(base, folders) for _, base, folders in made.sections[1:]] == [
        (Path("/ws/ComfyUI"), {"loras": ("models/loras",)}),
        (Path("/ws"), {"checkpoints": ("checkpoints",)}),
    ]
    assert made.user == Path("/ws/ComfyUI/user")
    assert made.output == Path("/ws/output")


def test_layout_survives_paths_that_yaml_would_misread(tmp_path: Path) -> None:
    import yaml

    odd = Path("/w s/a: #b\"c'd/é")
    made = derive_layout(an_installation(tmp_path), odd, tmp_path, exists=lambda _: False, holds_models=lambda _: False)
    data = yaml.safe_load(made.yaml)
    assert data["comfystow"]["base_path"] == str(odd)
    assert data["comfystow"]["diffusion_models"].split("\n") == ["models/unet", "models/diffusion_models"]


def test_threads_follow_the_quota_and_not_the_host() -> None:
    """`nproc` tells the host's cores."""
    done = added(tune(Machine(cores=7.5, host_cores=128), {}))
    assert done["OMP_NUM_THREADS"] == "7"
    assert "OMP_NUM_THREADS" not in added(tune(Machine(cores=7.5, host_cores=128), {"OMP_NUM_THREADS": "3"}))
    assert "OMP_NUM_THREADS" not in added(tune(Machine(cores=8, host_cores=8), {}))
    assert "OMP_NUM_THREADS" not in added(tune(Machine(cores=None, host_cores=8), {}))


def test_what_does_nothing_is_named_and_never_set() -> None:
    """PYTHONGC, CUDA_ARCH_LIST and friends; nothing of these is ever added, nor kernel values or memory tiers."""
    environment = {"PYTHONGC": "1", "CUDA_ARCH_LIST": "9.0", "PYTHONMALLOC": "malloc", "TORCH_CUDA_ARCH_LIST": "9.0"}
    named = {item.name: item for item in tune(Machine(), environment)}
    assert all(named[name].value is None for name in environment)
    for machine in (Machine(), Machine(cores=2, host_cores=64, tcmalloc_wanted=True, tcmalloc=Path("/l"))):
        for name in added(tune(machine, {})):
            assert name not in {*environment, "CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF", "CUDA_LAUNCH_BLOCKING"}


@pytest.mark.parametrize(
    ("machine", "environment", "problem"),
    [
        (Machine(), {"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:128"}, "cudaMallocAsync"),
        (Machine(), {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}, "cudaMallocAsync"),
        (Machine(cuda_malloc_off=True), {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}, None),
        (Machine(), {"PYTORCH_CUDA_ALLOC_CONF": "backend:native,max_split_size_mb:512"}, None),
        (Machine(cuda_malloc_off=True), {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True,max_split_size_mb:1"}, "together"),
        (Machine(cuda_malloc_off=True, torch_version=(2, 9)), {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}, "2.9"),
        (Machine(cuda_malloc_off=True, torch_version=(2, 10)), {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}, None),
        (Machine(cuda_malloc_off=True, torch_version=(2, 13)), {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}, None),
    ],
)  # fmt: skip
def test_allocator_settings_without_effect(machine: Machine, environment: dict[str, str], problem: str | None) -> None:
    told = [item.why for item in tune(machine, environment) if item.value is None]
    assert (problem is None and not told) or any(problem in why for why in told)


def test_preload_goes_to_comfyui_alone_and_only_where_the_library_is() -> None:
    library = Path("/usr/lib/libtcmalloc_minimal.so.4")
    done = added(tune(Machine(tcmalloc_wanted=True, tcmalloc=library), {}))
    assert done["LD_PRELOAD"] == str(library)
    assert "MALLOC_ARENA_MAX" not in done  # glibc's own, which tcmalloc replaces
    missing = tune(Machine(tcmalloc_wanted=True), {})
    assert "LD_PRELOAD" not in added(missing)
    assert "not installed" in next(item.why for item in missing if item.name == "LD_PRELOAD")
    mixed = tune(Machine(tcmalloc_wanted=True, tcmalloc=library), {"MALLOC_TRIM_THRESHOLD_": "1"})
    assert any("glibc's allocator" in item.why for item in mixed)


def test_caches_go_where_they_last_and_compiled_code_is_not_compiled_again() -> None:
    home = Path("/workspace")
    lasting = Machine(home=home, home_lasts=True, home_symlinks=True)
    assert added(tune(lasting, {}))["HF_HOME"] == "/workspace/.cache/huggingface"
    assert "HF_HOME" not in added(tune(lasting, {"HF_HOME": "/mine"}))
    assert "HF_HOME" not in added(tune(Machine(home=home, home_lasts=True), {}))  # no links: every file twice
    assert "HF_HOME" not in added(tune(Machine(home=home, home_symlinks=True), {}))
    assert "PYTHONPYCACHEPREFIX" not in added(tune(Machine(code_writable=False), {}))
    assert "PYTHONPYCACHEPREFIX" in added(tune(Machine(code_writable=False, packages_compiled=False), {}))


def test_providers_are_told_by_their_variables() -> None:
    runpod = detect_provider({"RUNPOD_POD_ID": "xyz"})
    assert (runpod.name, runpod.origin(8188)) == ("runpod", "https://xyz-8188.proxy.runpod.net")
    vast = detect_provider(
        {"VAST_CONTAINERLABEL": "C.123", "PUBLIC_IPADDR": "192.0.2.1", "VAST_TCP_PORT_8188": "41000"}
    )
    assert (vast.name, vast.pod_id, vast.url(8188), vast.origin(8188)) == (
        "vast",
        "123",
        "http://192.0.2.1:41000",
        None,
    )
    assert detect_provider({}).name == "none"
