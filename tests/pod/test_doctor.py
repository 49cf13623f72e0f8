"""The doctor: each trap laid on purpose, and what it says of it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.config import load_settings
from comfystow.core.engine.installation import Installation
from comfystow.core.errors import StowError
from comfystow.core.pod.doctor import access, disks, graphics, system
from comfystow.core.pod.doctor.examined import Examined, ok
from comfystow.core.pod.doctor.graphics import runs_on
from comfystow.core.pod.doctor.run import examine, healthy
from comfystow.core.records.pod import Finding, FindingState
from support.rights import held_by_modes
from support.setup.workshop import ComfyInstall

CHECKOUT = Path(__file__).resolve().parents[2]


def a_machine(tmp_path: Path, **options: Any) -> Examined:
    environment = options.pop("environment", {})
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    comfyui = options.pop("comfyui", None)
    return Examined(
        settings=load_settings(environment),
        installation=Installation(state_dir=state, comfyui=comfyui),
        environment=environment,
        **options,
    )


def told(findings: Iterator[Finding] | list[Finding], check: str) -> list[tuple[str, str]]:
    return [(finding.state.value, finding.what) for finding in findings if finding.check == check]


def test_models_beside_their_place_are_found_with_what_to_do(tmp_path: Path) -> None:
    """The layout that most templates get wrong: /runpod-volume/checkpoints."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "a.safetensors").touch()
    (tmp_path / "models" / "Loras").mkdir(parents=True)
    (tmp_path / "models" / "vae").mkdir()
    (tmp_path / "models" / "vae" / "gone.safetensors").symlink_to(tmp_path / "nowhere")
    found = list(disks.layout(a_machine(tmp_path, volume=tmp_path)))
    (state, what), (case, which) = told(found, "layout")
    assert (state, case) == ("warn", "warn")
    assert f"models lie in {tmp_path}/checkpoints and not in {tmp_path}/models/checkpoints" in what
    assert which.startswith("Loras: upper and lower case differ")
    assert told(found, "links") == [("bad", f"1 links below {tmp_path / 'models'} lead nowhere: vae/gone.safetensors")]
    assert all(finding.what_to_do for finding in found)


def test_tidy_volume_is_well(tmp_path: Path) -> None:
    (tmp_path / "models" / "loras").mkdir(parents=True)
    findings = examine(a_machine(tmp_path, volume=tmp_path), (disks.layout, disks.quota, disks.space))
    assert healthy(findings)
    assert told(findings, "layout") == [("ok", f"models lie in {tmp_path / 'models'}")]
    assert not list(tmp_path.glob(".comfystow*"))


def test_volume_that_cannot_be_written_is_bad(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir(mode=0o500)
    machine = a_machine(tmp_path, volume=volume)
    with held_by_modes():
        found = [*disks.volume(machine), *disks.quota(machine)]
    volume.chmod(0o700)
    assert ("bad", f"{volume} cannot be written: Permission denied") in told(found, "rights")
    assert told(found, "quota")[0] == ("bad", f"{volume} cannot be written: Permission denied")


@pytest.mark.parametrize(("number", "word"), [(errno.EDQUOT, "quota of"), (errno.ENOSPC, "is full")])
def test_quota_shows_in_a_write_and_nowhere_else(tmp_path: Path, number: int, word: str) -> None:
    """A shim under the real write(2): the network volume of a pod tells the size of its pool, not its quota."""
    shim = tmp_path / "shim.so"
    source = tmp_path / "shim.c"
    source.write_text(
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n#include <stdio.h>\n#include <string.h>\n"
        "#include <unistd.h>\n#include <sys/types.h>\n"
        "ssize_t write(int fd, const void *data, size_t n) {\n"
        '  static ssize_t (*real)(int, const void *, size_t); if (!real) real = dlsym(RTLD_NEXT, "write");\n'
        '  char link[64], path[4096]; snprintf(link, sizeof link, "/proc/self/fd/%d", fd);\n'
        "  ssize_t got = readlink(link, path, sizeof path - 1); if (got > 0) { path[got] = 0;\n"
        f'    if (strstr(path, ".comfystow-probe") && n > 4096) {{ errno = {number}; return -1; }} }}\n'
        "  return real(fd, data, n); }\n"
    )
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "__main__.py"), "pod", "doctor", "--json", "--state-dir", str(tmp_path / "s")],
        env={**os.environ, "LD_PRELOAD": str(shim), "COMFYSTOW_VOLUME": str(tmp_path), "COMFYSTOW_RUN_DIR": str(tmp_path / "r"),
             "HF_ENDPOINT": "http://127.0.0.1:9", "CIVITAI_ENDPOINT": "http://127.0.0.1:9"},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    rows = json.loads(done.stdout)["findings"]
    assert done.returncode == 1
    assert any(row["check"] == "quota" and row["state"] == "bad" and word in row["what"] for row in rows), rows


def test_look_only_writes_nothing(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, volume=tmp_path, look_only=True)
    before = tmp_path.stat().st_mtime_ns
    found = [*disks.volume(machine), *disks.quota(machine)]
    assert tmp_path.stat().st_mtime_ns == before
    assert {state for state, _ in told(found, "quota")} == {"unknown"}


def test_check_that_hangs_or_fails_silences_no_other(tmp_path: Path) -> None:
    over = threading.Event()

    def hangs(_: Examined) -> Iterator[Finding]:
        yield ok("hangs", "began")
        over.wait(120)

    def fails(_: Examined) -> Iterator[Finding]:
        raise RuntimeError("odd")
        yield

    def refuses(_: Examined) -> Iterator[Finding]:
        raise StowError("no", hint="do so")
        yield

    def works(_: Examined) -> Iterator[Finding]:
        yield ok("works", "well")

    found = examine(a_machine(tmp_path), (hangs, fails, refuses, works), seconds=0.5)
    over.set()
    assert [(row.check, row.state.value) for row in found] == [
        ("hangs", "ok"), ("hangs", "unknown"), ("fails", "unknown"), ("refuses", "unknown"), ("works", "ok"),
    ]  # fmt: skip
    assert healthy(found)


@pytest.mark.parametrize(
    ("capability", "archs", "runs"),
    [
        ((8, 6), ["sm_80", "sm_86"], True),
        ((8, 9), ["sm_80", "sm_86"], True),
        ((8, 0), ["sm_86"], False),
        ((9, 0), ["sm_80", "sm_86", "sm_89"], False),
        ((12, 0), ["sm_50", "sm_90"], False),  # a GPU of 2025 under CUDA 12.4, as sold by a well-known template
        ((12, 0), ["sm_100", "sm_120"], True),
        ((12, 1), ["sm_120"], True),
        ((10, 0), ["sm_90", "compute_90"], True),  # compiled by the driver
        ((9, 0), ["sm_90a"], True),
        ((10, 0), ["sm_90a", "compute_90a"], False),
        ((8, 6), [], False),
        ((7, 5), ["nonsense", "sm_75"], True),
    ],
)  # fmt: skip
def test_architectures_are_compared_as_numbers(capability: tuple[int, int], archs: list[str], runs: bool) -> None:
    """As texts "12.0" < "8.6"; a table of names once called compute 9.0 an RTX 50."""
    assert runs_on(capability, archs) is runs


EXAMINE = """
import json, os, sys
from pathlib import Path
from comfystow.core.config import load_settings
from comfystow.core.engine.installation import Installation
from comfystow.core.pod.doctor import graphics
from comfystow.core.pod.doctor.examined import Examined
from comfystow.core.records.json import to_json
torch = json.loads(sys.argv[1])
if torch:
    graphics._torch = lambda _: graphics.Torch(version=torch[0], cuda=tuple(torch[1]) if torch[1] else None, archs=tuple(torch[2]))
e = Examined(settings=load_settings(), installation=Installation(state_dir=Path("/nowhere")), environment=os.environ)
print(json.dumps(to_json(list(graphics.graphics(e)))))
"""


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("driver")
    source = CHECKOUT / "tests" / "monitor" / "fake_nvml.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", folder / "libnvidia-ml.so.1", source], check=True)
    return folder


def graphics_told(driver: Path | None, torch: object, **variables: str) -> list[tuple[str, str, str]]:
    env = {**os.environ, "LD_LIBRARY_PATH": str(driver or "/nonexistent"), **variables}
    done = subprocess.run(
        [sys.executable, "-c", EXAMINE, json.dumps(torch)], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [(row["check"], row["state"], row["what"]) for row in json.loads(done.stdout)]


def test_torch_without_code_for_the_gpu_is_bad(driver: Path) -> None:
    old = ["2.3.0", [12, 4], ["sm_80", "sm_86", "sm_90"]]
    rows = graphics_told(driver, old, FAKE_NVML="one", FAKE_CAPABILITY="12.0")
    assert rows[0] == ("gpu", "ok", "NVIDIA Test 1; driver 570.86, CUDA 12.8")
    assert rows[1][:2] == ("torch", "bad")
    assert "no code for NVIDIA Test 1 (compute 12.0)" in rows[1][2]
    fits = graphics_told(driver, old, FAKE_NVML="one", FAKE_CAPABILITY="8.9")
    assert fits[1][:2] == ("torch", "ok")


def test_torch_for_a_newer_cuda_than_the_driver_s_is_bad(driver: Path) -> None:
    rows = graphics_told(driver, ["2.10", [13, 0], ["sm_89"]], FAKE_NVML="one", FAKE_CAPABILITY="8.9")
    assert ("torch", "bad", "torch 2.10 needs CUDA 13.0, the driver runs 12.8") in rows
    cpu = graphics_told(driver, ["2.10+cpu", None, []], FAKE_NVML="one", FAKE_CAPABILITY="8.9")
    assert cpu[1][:2] == ("torch", "bad")


def test_rented_gpu_that_is_not_there_is_bad_and_none_at_home_unknown() -> None:
    """A pod that was stopped may come back with no GPU at all."""
    rows = graphics_told(None, None, RUNPOD_GPU_COUNT="1")
    assert [row[:2] for row in rows] == [("gpu", "bad")]
    assert [row[:2] for row in graphics_told(None, None)] == [("gpu", "unknown")]


def test_torch_is_asked_in_comfyui_s_own_python(tmp_path: Path, comfyui_home: ComfyInstall) -> None:
    torch = graphics._torch(a_machine(tmp_path, comfyui=comfyui_home.root))
    assert torch is not None
    assert torch.cuda is None
    assert torch.version.startswith("2.")


def test_variables_and_preloads_without_effect(tmp_path: Path) -> None:
    environment = {
        "PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:128",
        "PYTHONGC": "1",
        "LD_PRELOAD": "/no/libtcmalloc.so.4",
    }
    machine = a_machine(tmp_path, environment=environment)
    names = [what.split(" ")[0] for _, what in told(graphics.variables(machine), "variables")]
    assert names == ["PYTORCH_CUDA_ALLOC_CONF", "PYTHONGC"]
    assert told(graphics.preloads(machine), "preload")[0][0] == "bad"
    assert told(graphics.variables(a_machine(tmp_path)), "variables") == [("ok", "none is set that does nothing")]


def test_threads_above_the_quota_are_told(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, environment={"OMP_NUM_THREADS": "4096", "COMFYSTOW_RENTED_CORES": "2"})
    assert told(system.cores(machine), "threads")[0][0] == "warn"
    assert system._number("much") == 0


def test_kernel_values_that_nothing_can_set_are_told(tmp_path: Path) -> None:
    (tmp_path / "etc/sysctl.d").mkdir(parents=True)
    (tmp_path / "etc/sysctl.conf").write_text("# comment\nvm.swappiness=10\nnet.ipv4.tcp_congestion_control = bbr\n")
    (row,) = system.kernel(a_machine(tmp_path), root=tmp_path)
    assert row.state is FindingState.WARN
    assert "vm.swappiness, net.ipv4.tcp_congestion_control" in row.what


class Clock(BaseHTTPRequestHandler):
    ahead = 0.0

    def do_HEAD(self) -> None:
        self.send_response_only(404)
        self.send_header("Date", self.date_time_string(time.time() - self.ahead))
        self.end_headers()


@pytest.mark.parametrize(("ahead", "state"), [(0.0, "ok"), (600.0, "bad"), (-600.0, "bad")])
def test_clock_is_compared_with_a_hub_s(tmp_path: Path, ahead: float, state: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), type("At", (Clock,), {"ahead": ahead, "log_message": lambda *_: None}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        machine = a_machine(tmp_path, environment={"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"})
        (row,) = system.clock(machine)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    assert row.state.value == state
    assert ahead == 0 or row.what.endswith("s ahead" if ahead > 0 else "s behind")


def test_names_that_cannot_be_looked_up_are_bad(tmp_path: Path) -> None:
    environment = {"HF_ENDPOINT": "https://nowhere.invalid", "CIVITAI_ENDPOINT": "http://127.0.0.1:9"}
    states = [row.state.value for row in system.names(a_machine(tmp_path, environment=environment))]
    assert states == ["bad", "ok"]


def test_flags_that_comfyui_does_not_know_are_told(tmp_path: Path, comfyui_home: ComfyInstall) -> None:
    environment = {**os.environ, "COMFYSTOW_COMFYUI_ARGUMENTS": "--use-flash-attention-2 --preview-method auto"}
    found = list(access.arguments(a_machine(tmp_path, comfyui=comfyui_home.root, environment=environment)))
    assert [row.state.value for row in found] == ["warn"]
    assert "--use-flash-attention-2" in found[0].what


def test_port_that_somebody_else_has_is_told(tmp_path: Path) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        machine = a_machine(
            tmp_path, environment={"COMFYSTOW_JUPYTER_PORT": str(port), "COMFYSTOW_LISTEN": "127.0.0.1"}
        )
        rows = told(access.ports(machine), "ports")
    assert any(f"port {port} of jupyter cannot be had" in what for _, what in rows)


def test_services_of_a_pod_that_are_ill_are_bad(tmp_path: Path) -> None:
    pod = {"services": [
        {"name": "comfyui", "title": "ComfyUI", "state": "crash_loop", "reason": "it ended with 1", "port": 8188, "pid": None},
        {"name": "jupyter", "title": "JupyterLab", "state": "ready", "reason": None, "port": 8888, "pid": 1},
    ]}  # fmt: skip
    rows = told(access.ports(a_machine(tmp_path, pod=pod)), "services")
    assert rows == [("bad", "ComfyUI is crash loop: it ended with 1"), ("ok", "JupyterLab is ready on port 8888")]


def test_only_ports_that_are_open_to_others_are_asked_for_passwords(tmp_path: Path) -> None:
    """A ComfyUI on loopback needs none; a recorded /proc/net/tcp (proc_net_tcp(5))."""
    rows = {
        "tcp": ["0100007F:1FFC 00000000:0000 0A", "00000000:22B8 00000000:0000 0A", "00000000:1F90 0100007F:9999 01"],
        "tcp6": [
            "00000000000000000000000001000000:1000 0 0A",
            "0000000000000000FFFF00000100007F:1001 0 0A",
            "00000000000000000000000000000000:0016 0 0A",
        ],
    }
    (tmp_path / "net").mkdir()
    for name, lines in rows.items():
        text = "".join(f"  {place}: {line} and more\n" for place, line in enumerate(lines))
        (tmp_path / "net" / name).write_text(f"  sl  local_address rem_address st\n{text}")
    assert access.listening_elsewhere(tmp_path) == {0x22B8, 0x16}
    assert access.listening_elsewhere(tmp_path / "none") is None
