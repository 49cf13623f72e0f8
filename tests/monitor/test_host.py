"""Recorded machines: control groups v1 and v2, AMD cards, mounts; read from a folder in place of the kernel's."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from comfystow.core.monitor import disk as disk_module
from comfystow.core.monitor import foreign
from comfystow.core.monitor import host as host_module
from comfystow.core.monitor.cgroup import read_cgroup
from comfystow.core.monitor.disk import DiskReader
from comfystow.core.monitor.gpu_amd import read_amd
from comfystow.core.monitor.host import HostReader
from comfystow.core.monitor.network import NetworkReader
from comfystow.core.mounts import mount_of

GB = 1 << 30

#: docker run --cpus 2.5 --memory 8g on a host with cgroup v2; the container has a namespace of its own.
V2 = {
    "proc/self/cgroup": "0::/\n",
    "cg/cgroup.controllers": "cpu memory io\n",
    "cg/cpu.max": "250000 100000\n",
    "cg/cpu.stat": "usage_usec 5000000\nuser_usec 4000000\n",
    "cg/memory.current": f"{4 * GB}\n",
    "cg/memory.max": f"{8 * GB}\n",
    "cg/memory.stat": f"anon 1\ninactive_file {GB}\n",
    "cg/memory.events": "low 0\noom 4\noom_kill 3\n",
    "proc/meminfo": f"MemTotal: {64 * GB // 1024} kB\nMemAvailable: {60 * GB // 1024} kB\n",
    "proc/loadavg": "0.50 0.40 0.30 1/100 123\n",
    "proc/stat": "cpu 100 0 100 800 0 0 0 0 0 0\n",
}
#: The same limits under cgroup v1, without a namespace: the path of our group is the host's.
V1 = {
    "proc/self/cgroup": "4:memory:/docker/abc\n2:cpuacct,cpu:/docker/abc\n",
    "cg/cpu/docker/abc/cpu.cfs_quota_us": "250000\n",
    "cg/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
    "cg/cpuacct/docker/abc/cpuacct.usage": "5000000000\n",
    "cg/memory/docker/abc/memory.usage_in_bytes": f"{4 * GB}\n",
    "cg/memory/docker/abc/memory.limit_in_bytes": f"{8 * GB}\n",
    "cg/memory/docker/abc/memory.stat": f"total_inactive_file {GB}\n",
    "cg/memory/docker/abc/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "cg/memory/memory.limit_in_bytes": "9223372036854771712\n",
    **{name: V2[name] for name in ("proc/meminfo", "proc/loadavg", "proc/stat")},
}


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(("files", "version"), [(V2, 2), (V1, 1)])
def test_container_limits_are_ours_not_the_hosts(tmp_path: Path, files: dict[str, str], version: int) -> None:
    root = machine(tmp_path, files)
    group = read_cgroup(root / "proc", root / "cg")
    assert (group.version, group.cores, group.cpu_seconds, group.oom_kills) == (version, 2.5, 5.0, 3)
    sample = HostReader(proc=root / "proc", cgroup=root / "cg").read()
    assert (sample.memory_used_bytes, sample.memory_limit_bytes) == (3 * GB, 8 * GB)


def test_bare_machine_without_limits_uses_the_hosts_numbers(tmp_path: Path) -> None:
    files = V2 | {"cg/cpu.max": "max 100000\n", "cg/memory.max": "max\n"}
    root = machine(tmp_path, files)
    sample = HostReader(proc=root / "proc", cgroup=root / "cg").read()
    assert (sample.memory_used_bytes, sample.memory_limit_bytes) == (4 * GB, 64 * GB)
    assert sample.load_1m == 0.5


def test_limit_of_an_ancestor_binds(tmp_path: Path) -> None:
    files = V2 | {
        "proc/self/cgroup": "0::/pod/box\n",
        "cg/pod/memory.max": f"{2 * GB}\n",
        "cg/pod/cpu.max": "100000 100000\n",
        "cg/pod/box/memory.max": "max\n",
        "cg/pod/box/memory.current": f"{GB}\n",
    }
    root = machine(tmp_path, files)
    group = read_cgroup(root / "proc", root / "cg")
    assert (group.memory_limit_bytes, group.cores) == (2 * GB, 1.0)


def test_utilization_is_a_share_of_the_quota(tmp_path: Path, monkeypatch) -> None:
    root = machine(tmp_path, V2)
    monkeypatch.setattr(host_module.os, "sched_getaffinity", lambda _: set(range(64)))
    now = iter([10.0, 12.0])
    monkeypatch.setattr(host_module.time, "monotonic", lambda: next(now))
    reader = HostReader(proc=root / "proc", cgroup=root / "cg")
    assert reader.read().cpu_utilization_ratio is None
    machine(tmp_path, {"cg/cpu.stat": "usage_usec 7500000\n"})
    assert reader.read().cpu_utilization_ratio == pytest.approx(0.5)  # 2.5 s of CPU in 2 s on 2.5 cores


def test_machine_that_tells_nothing_is_unknown_not_zero(tmp_path: Path) -> None:
    reader = HostReader(proc=tmp_path / "none", cgroup=tmp_path / "none")
    reader.read()
    sample = reader.read()
    assert (
        sample.memory_used_bytes
        is sample.memory_limit_bytes
        is sample.cpu_utilization_ratio
        is sample.oom_kills
        is None
    )
    assert NetworkReader(proc=tmp_path / "none").read().received_bytes_per_second is None


def test_amd_card_from_sysfs_and_no_other_vendors(tmp_path: Path) -> None:
    card = "class/drm/card1/device"
    root = machine(
        tmp_path,
        {
            "class/drm/card0/device/vendor": "0x8086\n",
            f"{card}/vendor": "0x1002\n",
            f"{card}/unique_id": "a1b2\n",
            f"{card}/product_name": "Radeon RX 7900 XTX\n",
            f"{card}/gpu_busy_percent": "37\n",
            f"{card}/mem_info_vram_used": f"{5 * GB}\n",
            f"{card}/mem_info_vram_total": f"{24 * GB}\n",
            f"{card}/hwmon/hwmon3/temp1_input": "64000\n",
            f"{card}/hwmon/hwmon3/power1_average": "210000000\n",
            f"{card}/hwmon/hwmon3/pwm1": "51\n",
            f"{card}/hwmon/hwmon3/pwm1_max": "255\n",
        },
    )
    (gpu,) = read_amd(root)
    assert (gpu.uuid, gpu.name, gpu.vendor) == ("a1b2", "Radeon RX 7900 XTX", "amd")
    assert (gpu.utilization_ratio, gpu.temperature_celsius, gpu.power_watts, gpu.fan_ratio) == (0.37, 64.0, 210.0, 0.2)
    assert gpu.memory_used_bytes == 5 * GB
    assert gpu.power_limit_watts is None


MOUNTINFO = """\
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:50 / /workspace rw - fuse mfs#host:9421 rw
3 1 0:51 / /mnt/nas\\040one rw - nfs4 nas:/x rw
4 2 8:2 / /workspace/models rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("path", "point", "network"),
    [
        ("/workspace/x", "/workspace", True),
        ("/workspace/models/vae", "/workspace/models", False),
        ("/workspaces", "/", False),
        ("/mnt/nas one/m", "/mnt/nas one", True),
    ],
)
def test_longest_mount_wins_and_network_ones_are_known(tmp_path: Path, path: str, point: str, network: bool) -> None:
    root = machine(tmp_path, {"self/mountinfo": MOUNTINFO})
    mount = mount_of(Path(path), proc=root)
    assert mount is not None
    assert (mount.point, mount.network) == (point, network)


def test_real_disk_is_sampled_once_for_all_roots_on_it(tmp_path: Path) -> None:
    samples = DiskReader().read([tmp_path, tmp_path / "not" / "there", tmp_path / "models"])
    assert len(samples) == 1
    assert samples[0].total_bytes
    assert samples[0].file_system
    assert 0 <= samples[0].free_bytes <= samples[0].total_bytes


def test_loopback_traffic_does_not_count_and_a_lost_interface_is_unknown(tmp_path: Path, monkeypatch) -> None:
    table = (
        "Inter-|\n face |\n    lo: {lo} 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n  eth0: {rx} 0 0 0 0 0 0 0 {tx} 0 0 0 0 0 0 0\n"
    )
    now = iter([1.0, 3.0, 4.0])
    monkeypatch.setattr("comfystow.core.monitor.network.time.monotonic", lambda: next(now))
    reader = NetworkReader(proc=tmp_path)
    rates = []
    for lo, rx, tx in ((0, 100, 50), (10**9, 2100, 450), (0, 5, 5)):
        machine(tmp_path, {"self/net/dev": table.format(lo=lo, rx=rx, tx=tx)})
        rates.append(reader.read().received_bytes_per_second)
    assert rates == [None, 1000.0, None]


def test_disk_is_looked_up_once_for_dozens_of_roots(tmp_path: Path, monkeypatch) -> None:
    lookups = []
    monkeypatch.setattr(disk_module, "mount_of", lambda path, proc: lookups.append(path) or mount_of(path, proc=proc))
    reader = DiskReader()
    roots = [tmp_path / "models" / str(number) for number in range(30)]
    for _ in range(3):
        assert len(reader.read(roots)) == 1
    assert lookups == [tmp_path]
    reader.read([*roots, tmp_path / "more"])
    assert len(lookups) == 2


def test_provider_says_how_many_cores_are_rented(tmp_path: Path) -> None:
    root = machine(tmp_path, V2 | {"cg/cpu.max": "max 100000\n"})
    sample = HostReader(proc=root / "proc", cgroup=root / "cg", rented_cores=1.0).read()
    assert sample.cores == 1.0


def test_system_without_proc_is_read_by_psutil(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(foreign, "sys", SimpleNamespace(platform="darwin"))
    now = iter([1.0, 2.0, 3.0, 4.0])
    monkeypatch.setattr(host_module.time, "monotonic", lambda: next(now))
    reader = HostReader(proc=tmp_path / "none", cgroup=tmp_path / "none")
    reader.read()
    sample = reader.read()
    assert sample.memory_limit_bytes > sample.memory_used_bytes > 0
    assert 0 <= sample.cpu_utilization_ratio <= 1
    network = NetworkReader(proc=tmp_path / "none")
    network.read()
    assert network.read().received_bytes_per_second is not None


def test_linux_never_asks_psutil_about_a_container(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert HostReader(proc=tmp_path, cgroup=tmp_path).read().memory_used_bytes is None
