"""The real nvidia-ml-py against a driver library made for the test, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

READ = """
import json, sys
from comfystow.core.monitor.gpu_nvml import NvmlReader
from comfystow.core.records.json import to_json
reader = NvmlReader()
rounds = []
for _ in range(int(sys.argv[1])):
    rounds.append({"gpus": to_json(reader.read()), "note": reader.note})
print(json.dumps(rounds))
"""

SAMPLE = """
import json, sys, time
from comfystow.core.monitor.sampler import Sampler
sampler = Sampler(roots=lambda: [], gpu_timeout_seconds=0.3)
sampler.lease("test", 30)
deadline = time.monotonic() + 20
while sampler.latest is None and time.monotonic() < deadline:
    time.sleep(0.05)
print(json.dumps({"note": sampler.latest.gpu_note, "gpus": sampler.latest.gpus, "load": sampler.latest.host.load_1m}))
"""


@pytest.fixture(scope="session")
def driver(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("driver")
    source = Path(__file__).with_name("fake_nvml.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", folder / "libnvidia-ml.so.1", source], check=True)
    return folder


def run(program: str, mode: str, folder: Path | None, *arguments: str, **variables: str):
    env = os.environ | {"FAKE_NVML": mode} | variables
    env["LD_LIBRARY_PATH"] = str(folder) if folder else "/nonexistent"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_gpus_with_every_field_the_driver_has(driver: Path) -> None:
    first, second = run(READ, "two", driver, "1", FAKE_CAPABILITY="8.9")[0]["gpus"]
    assert first["uuid"] == "GPU-aaaa-1"
    assert first["pci_bus_id"] == "00000000:01:00.0"
    assert (first["utilization_ratio"], second["utilization_ratio"]) == (0.5, 0.6)
    assert first["memory_used_bytes"] == 5 << 30
    assert first["memory_reserved_bytes"] == 1 << 30
    assert (first["temperature_celsius"], first["power_watts"], first["power_limit_watts"]) == (71.0, 318.5, 450.0)
    assert (first["clock_sm_hertz"], first["clock_memory_hertz"]) == (2.52e9, 1.0501e10)
    assert first["throttle_reasons"] == ["power limit", "too hot (hardware)"]
    assert first["processes"] == [{"pid": 4242, "memory_used_bytes": 5 << 30}]
    assert first["visible"] is True
    assert first["compute_capability"] == "8.9"


def test_function_that_an_old_driver_lacks_is_unknown_not_zero(driver: Path) -> None:
    gpu = run(READ, "two", driver, "1")[0]["gpus"][0]
    assert [gpu[name] for name in ("fan_ratio", "pcie_generation", "pcie_width", "ecc_uncorrected_errors")] == [
        None
    ] * 4


def test_wsl_keeps_memory_though_the_rest_is_not_supported(driver: Path) -> None:
    (gpu,) = run(READ, "wsl", driver, "1")[0]["gpus"]
    assert (gpu["memory_used_bytes"], gpu["memory_total_bytes"]) == (6 << 30, 24 << 30)
    assert gpu["utilization_ratio"] is None
    assert gpu["power_watts"] is None
    assert gpu["throttle_reasons"] is None
    assert gpu["compute_capability"] is None


def test_mig_slices_stand_beside_their_parent(driver: Path) -> None:
    parent, *slices = run(READ, "mig", driver, "1")[0]["gpus"]
    assert parent["utilization_ratio"] is None
    assert [item["uuid"] for item in slices] == ["MIG-11", "MIG-12"]
    assert {item["parent_uuid"] for item in slices} == {parent["uuid"]}


def test_lost_gpu_leaves_the_others(driver: Path) -> None:
    first, second = run(READ, "lost", driver, "1")[0]["gpus"]
    assert first["utilization_ratio"] == 0.5
    assert second["name"] == "GPU is lost"
    assert second["memory_used_bytes"] is None


def test_driver_that_goes_away_comes_back(driver: Path) -> None:
    before, gone, after = run(READ, "dies", driver, "3")
    assert len(before["gpus"]) == len(after["gpus"]) == 2
    assert gone["gpus"] is None
    assert gone["note"]
    assert after["note"] is None


@pytest.mark.parametrize(
    ("mode", "note"),
    [("noinit", "the NVIDIA driver is not loaded"), ("mismatch", "driver and library versions differ")],
)
def test_driver_that_does_not_start_says_why(driver: Path, mode: str, note: str) -> None:
    result = run(READ, mode, driver, "1")[0]
    assert result["gpus"] is None
    assert note in result["note"]


def test_machine_without_a_driver_says_so() -> None:
    assert run(READ, "two", None, "1")[0] == {"gpus": None, "note": "no NVIDIA driver library here"}


def test_driver_that_hangs_blocks_nothing_else(driver: Path) -> None:
    result = run(SAMPLE, "hang", driver)
    assert result == {"note": "the GPU driver does not answer", "gpus": None, "load": result["load"]}
    assert result["load"] is not None


def test_xid_errors_are_counted_while_somebody_looks(driver: Path) -> None:
    before, after, later = run(READ, "xid", driver, "3")
    assert [(gpu["xid_errors"], gpu["last_xid"]) for gpu in before["gpus"]] == [(0, None), (0, None)]
    assert [(gpu["xid_errors"], gpu["last_xid"]) for gpu in after["gpus"]] == [(0, None), (2, 31)]
    assert later["gpus"][1]["xid_errors"] == 2


def test_system_that_tells_no_xid_errors_has_an_unknown_count(driver: Path) -> None:
    (gpu,) = run(READ, "wsl", driver, "1")[0]["gpus"]
    assert (gpu["xid_errors"], gpu["last_xid"]) == (None, None)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CUDA_VISIBLE_DEVICES": "GPU-aaaa-2"}, [False, True]),
        ({"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, [False, True]),
        ({"CUDA_VISIBLE_DEVICES": "1"}, [None, None]),
        ({"CUDA_VISIBLE_DEVICES": ""}, [False, False]),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, [False, False]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-aaaa-1,oops,GPU-aaaa-2"}, [True, False]),
        ({"CUDA_VISIBLE_DEVICES": "1,0"}, [True, True]),
        ({"CUDA_VISIBLE_DEVICES": "7"}, [False, False]),
    ],
)
def test_cuda_visible_devices_is_told_honestly(driver: Path, variables: dict[str, str], expected: list) -> None:
    gpus = run(READ, "two", driver, "1", **variables)[0]["gpus"]
    assert [gpu["visible"] for gpu in gpus] == expected


def test_only_gpu_is_visible_when_its_number_is_named(driver: Path) -> None:
    (gpu,) = run(READ, "one", driver, "1", CUDA_VISIBLE_DEVICES="0")[0]["gpus"]
    assert gpu["visible"] is True
