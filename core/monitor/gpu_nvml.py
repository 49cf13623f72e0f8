"""NVIDIA GPUs through nvidia-ml-py (module `pynvml`).

Every field is optional on its own: NVML answers NotSupported for utilisation under WSL and on a MIG parent, for fans on
data-centre cards, FunctionNotFound with an old driver. A lost driver (sleep, reset) is initialised anew. Calls may hang
in the kernel driver, so the caller runs `read` where a hang blocks nobody (`sampler`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from ..records.sample import GpuProcess, GpuSample

_log = logging.getLogger("comfystow.monitor")

T = TypeVar("T")

#: nvml.h, nvmlClocksEventReasons: bit -> what it means for a user. Idle and application clocks are no throttling.
THROTTLE_REASONS = {
    0x04: "power limit",
    0x08: "hardware slowdown",
    0x10: "synchronised with another GPU",
    0x20: "too hot (software)",
    0x40: "too hot (hardware)",
    0x80: "power brake",
}


class NvmlReader:
    """Read all NVIDIA GPUs; `note` says in words why there are none."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self.note: str | None = None

    def read(self) -> tuple[GpuSample, ...] | None:
        """Take one sample; None where there is no driver or library, with the reason in `note`."""
        nvml = self._ready()
        if nvml is None:
            return None
        try:
            count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError as err:
            self._lose(nvml, err)
            return None
        visible = visible_devices(os.environ.get("CUDA_VISIBLE_DEVICES"))
        samples: list[GpuSample] = []
        for index in range(count):
            samples.extend(self._read_gpu(nvml, index, visible))
        return tuple(samples)

    def close(self) -> None:
        """Let go of the driver, so that a GPU may sleep."""
        if self._nvml is not None:
            _optional(self._nvml, self._nvml.nvmlShutdown)
            self._nvml = None

    def _ready(self) -> Any:
        if self._nvml is not None:
            return self._nvml
        try:
            import pynvml
        except ImportError:
            self.note = "GPU statistics are off: `pip install nvidia-ml-py` switches them on"
            return None
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as err:
            self.note = _why(pynvml, err)
            return None
        self._nvml, self.note = pynvml, None
        return pynvml

    def _lose(self, nvml: Any, err: Exception) -> None:
        """Forget a driver that is gone; the next read initialises it anew."""
        _log.info("NVIDIA driver lost: %s", err)
        self.note = _why(nvml, err)
        self.close()

    def _read_gpu(self, nvml: Any, index: int, visible: frozenset[str] | None) -> list[GpuSample]:
        handle = _optional(nvml, lambda: nvml.nvmlDeviceGetHandleByIndex(index))
        if handle is None:
            return [GpuSample(uuid=f"lost-{index}", index=index, name="GPU is lost", vendor="nvidia")]
        parent = _sample(nvml, handle, index, visible)
        slices = [_sample(nvml, child, index, visible, parent=parent) for child in _mig_handles(nvml, handle)]
        return [parent, *slices]


def visible_devices(variable: str | None) -> frozenset[str] | None:
    """Read CUDA_VISIBLE_DEVICES as a set of indexes and UUID prefixes; None means all.

    CUDA ignores everything after the first entry that is no device (CUDA programming guide, environment variables).
    The order of numbers is CUDA's, not NVML's, unless CUDA_DEVICE_ORDER=PCI_BUS_ID; UUIDs are exact.
    """
    if variable is None:
        return None
    entries = []
    for entry in (part.strip() for part in variable.split(",")):
        if not entry or entry.startswith("-") or not (entry.isdigit() or entry.startswith(("GPU-", "MIG-"))):
            break
        entries.append(entry)
    return frozenset(entries)


def _is_visible(visible: frozenset[str] | None, index: int, uuid: str) -> bool | None:
    if visible is None:
        return True
    if any(entry.startswith(("GPU-", "MIG-")) for entry in visible):
        return any(uuid.startswith(entry) for entry in visible)
    if not visible:
        return False
    return str(index) in visible if os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" else None


def _sample(
    nvml: Any, handle: Any, index: int, visible: frozenset[str] | None, *, parent: GpuSample | None = None
) -> GpuSample:
    def ask(function: str, *arguments: object) -> Any:
        return _optional(nvml, lambda: getattr(nvml, function)(handle, *arguments))

    uuid = _text(ask("nvmlDeviceGetUUID")) or f"unknown-{index}"
    pci = ask("nvmlDeviceGetPciInfo")
    used, reserved, total = _memory(nvml, ask)
    milliwatts, limit = ask("nvmlDeviceGetPowerUsage"), ask("nvmlDeviceGetEnforcedPowerLimit")
    utilization = ask("nvmlDeviceGetUtilizationRates")
    return GpuSample(
        uuid=uuid,
        index=index,
        name=_text(ask("nvmlDeviceGetName")) or "NVIDIA GPU",
        vendor="nvidia",
        pci_bus_id=_text(pci.busId) if pci is not None else None,
        parent_uuid=parent.uuid if parent is not None else None,
        visible=_is_visible(visible, index, uuid),
        utilization_ratio=_map(utilization, lambda rates: rates.gpu / 100),
        memory_used_bytes=used,
        memory_reserved_bytes=reserved,
        memory_total_bytes=total,
        temperature_celsius=_map(ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU), float),
        power_watts=_map(milliwatts, lambda value: value / 1000),
        power_limit_watts=_map(limit, lambda value: value / 1000),
        clock_sm_hertz=_map(ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM), lambda mhz: mhz * 1e6),
        clock_memory_hertz=_map(ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM), lambda mhz: mhz * 1e6),
        throttle_reasons=_throttle(ask),
        fan_ratio=_map(ask("nvmlDeviceGetFanSpeed"), lambda percent: percent / 100),
        pcie_generation=ask("nvmlDeviceGetCurrPcieLinkGeneration"),
        pcie_width=ask("nvmlDeviceGetCurrPcieLinkWidth"),
        ecc_uncorrected_errors=ask(
            "nvmlDeviceGetTotalEccErrors", nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        ),
        processes=_processes(ask),
    )


def _memory(nvml: Any, ask: Callable[..., Any]) -> tuple[int | None, int | None, int | None]:
    """Return used, reserved and total bytes; version 2 of the struct matches nvidia-smi."""
    version = getattr(nvml, "nvmlMemory_v2", None)
    info = ask("nvmlDeviceGetMemoryInfo", version) if version is not None else None
    if info is None:
        info = ask("nvmlDeviceGetMemoryInfo")
    if info is None:
        return None, None, None
    reserved = getattr(info, "reserved", None)
    return int(info.used), None if reserved is None else int(reserved), int(info.total)


def _throttle(ask: Callable[..., Any]) -> tuple[str, ...] | None:
    bits = ask("nvmlDeviceGetCurrentClocksEventReasons")
    if bits is None:
        bits = ask("nvmlDeviceGetCurrentClocksThrottleReasons")
    return _map(bits, lambda value: tuple(word for bit, word in THROTTLE_REASONS.items() if value & bit))


def _processes(ask: Callable[..., Any]) -> tuple[GpuProcess, ...] | None:
    running = ask("nvmlDeviceGetComputeRunningProcesses")
    return _map(
        running, lambda rows: tuple(GpuProcess(pid=row.pid, memory_used_bytes=row.usedGpuMemory) for row in rows)
    )


def _mig_handles(nvml: Any, handle: Any) -> list[Any]:
    mode = _optional(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle))
    if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
        return []
    most = _optional(nvml, lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0
    children: list[Any] = []
    for index in range(most):
        child = _optional(nvml, partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index))
        if child is not None:
            children.append(child)
    return children


def _optional(nvml: Any, call: Callable[[], T]) -> T | None:
    """Return what the driver answers, None where it has no answer."""
    try:
        return call()
    except (nvml.NVMLError, AttributeError, UnicodeDecodeError):
        return None


def _map(value: Any, function: Callable[[Any], T]) -> T | None:
    return None if value is None else function(value)


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _why(nvml: Any, err: Exception) -> str:
    """Say in words why NVML does not answer."""
    reasons = {
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no NVIDIA driver library here",
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded",
        nvml.NVML_ERROR_NO_PERMISSION: "the NVIDIA driver refuses this user",
        nvml.NVML_ERROR_GPU_IS_LOST: "the GPU fell off the bus; a reboot is needed",
    }
    mismatch = getattr(nvml, "NVML_ERROR_LIB_RM_VERSION_MISMATCH", None)
    if mismatch is not None:
        reasons[mismatch] = "driver and library versions differ; a reboot is needed after the update"
    return reasons.get(getattr(err, "value", None), f"the NVIDIA driver answers: {err}")
