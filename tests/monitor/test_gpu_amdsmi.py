"""AMD's own library beside sysfs: a stand-in for the module, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

READ = """
import json, sys
from pathlib import Path
from comfystow.core.monitor.gpu_amdsmi import AmdReader
from comfystow.core.records.json import to_json
reader = AmdReader(sys=Path(sys.argv[1]), kfd=Path(sys.argv[1]) / "kfd")
rounds = [to_json(reader.read()), to_json(reader.read())]
reader.close()
print(json.dumps({"rounds": rounds, "asked": "amdsmi" in sys.modules}))
"""

#: The calls and answers of ROCm's module; what is not here raises, as an older release would.
MODULE = """
import enum, os
MODE = os.environ["FAKE_AMDSMI"]
class AmdSmiLibraryException(Exception): pass
class AmdSmiTemperatureType(enum.IntEnum): EDGE, HOTSPOT = 0, 1
class AmdSmiTemperatureMetric(enum.IntEnum): CURRENT = 0
class AmdSmiClkType(enum.IntEnum): GFX, MEM = 0, 4
if MODE == "unloadable": raise KeyError("libamd_smi.so")
def amdsmi_init(*_):
    if MODE == "no driver": raise AmdSmiLibraryException(1)
def amdsmi_shut_down(): pass
def amdsmi_get_processor_handles():
    if MODE == "lost": raise AmdSmiLibraryException(34)
    return ["one", "two"]
def amdsmi_get_gpu_device_bdf(handle): return {"one": "0000:03:00.0", "two": "0000:83:00.0"}[handle]
def amdsmi_get_gpu_device_uuid(handle): return f"uuid-{handle}"
def amdsmi_get_gpu_asic_info(handle): return {"market_name": "N/A" if handle == "one" else "AMD Instinct MI300X"}
def amdsmi_get_gpu_vram_usage(handle): return {"vram_used": 2048, "vram_total": 24560}
def amdsmi_get_gpu_activity(handle): return {"gfx_activity": "N/A" if handle == "two" else 41}
def amdsmi_get_power_info(handle): return {"current_socket_power": "N/A", "average_socket_power": 212, "power_limit": 315000000}
def amdsmi_get_temp_metric(handle, kind, metric):
    if kind == 1: raise AmdSmiLibraryException(2)
    return 61
def amdsmi_get_clock_info(handle, kind): return {"clk": 2400 if kind == 0 else 1249}
def amdsmi_get_gpu_process_list(handle): return [{"pid": 4, "memory_usage": {"vram_mem": 1 << 30}}, {"odd": 1}]
"""


@pytest.fixture
def sys_tree(tmp_path: Path) -> Path:
    """Give a sysfs with one card, at the place of the library's first."""
    root = tmp_path / "sys"
    device = root / "devices" / "0000:03:00.0"
    for name, text in {"vendor": "0x1002\n", "unique_id": "a1b2\n", "product_name": "Radeon RX 7900 XTX\n",
                       "gpu_busy_percent": "37\n", "hwmon/hwmon3/pwm1": "51\n", "hwmon/hwmon3/pwm1_max": "255\n"}.items():  # fmt: skip
        (device / name).parent.mkdir(parents=True, exist_ok=True)
        (device / name).write_text(text)
    (root / "class" / "drm" / "card1").mkdir(parents=True)
    (root / "class" / "drm" / "card1" / "device").symlink_to(device)
    return root


def read(root: Path, tmp_path: Path, mode: str | None):
    modules = tmp_path / "modules"
    modules.mkdir(exist_ok=True)
    if mode is not None:
        (modules / "amdsmi.py").write_text(MODULE)
    paths = os.pathsep.join([str(modules), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    env = {**os.environ, "PYTHONPATH": paths, "FAKE_AMDSMI": mode or ""}
    done = subprocess.run([sys.executable, "-c", READ, str(root)], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_library_is_laid_over_sysfs_and_adds_cards_that_sysfs_does_not_show(sys_tree: Path, tmp_path: Path) -> None:
    one, two = read(sys_tree, tmp_path, "two")["rounds"][1]
    assert (one["uuid"], one["name"], one["pci_bus_id"]) == ("uuid-one", "Radeon RX 7900 XTX", "0000:03:00.0")
    assert (one["utilization_ratio"], one["fan_ratio"]) == (0.41, 0.2)  # the library's, and sysfs' where it has none
    assert (one["memory_used_bytes"], one["memory_total_bytes"]) == (2048 << 20, 24560 << 20)
    assert (one["temperature_celsius"], one["power_watts"], one["power_limit_watts"]) == (61.0, 212.0, 315.0)
    assert (one["clock_sm_hertz"], one["clock_memory_hertz"]) == (2.4e9, 1.249e9)
    assert one["processes"] == [{"pid": 4, "memory_used_bytes": 1 << 30}]
    assert (two["name"], two["utilization_ratio"], two["index"]) == ("AMD Instinct MI300X", None, 1)


@pytest.mark.parametrize("mode", [None, "no driver", "unloadable", "lost"])
def test_without_library_or_driver_sysfs_is_read_alone(sys_tree: Path, tmp_path: Path, mode: str | None) -> None:
    for cards in read(sys_tree, tmp_path, mode)["rounds"]:
        (one,) = cards
        assert (one["uuid"], one["utilization_ratio"], one["memory_used_bytes"]) == ("a1b2", 0.37, None)


def test_without_a_card_the_library_is_not_even_imported(tmp_path: Path) -> None:
    assert read(tmp_path / "empty", tmp_path, "two") == {"rounds": [[], []], "asked": False}
