"""NVIDIA GPUs through nvidia-ml-py (module `pynvml`).

Every field is optional on its own: NVML answers NotSupported for utilisation under WSL and on a MIG parent, for fans on
data-centre cards, FunctionNotFound with an old driver. A lost driver (sleep, reset) is initialised anew. Calls may hang
in the kernel driver, so the caller runs `read` where a hang blocks nobody (`sampler`).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from ..records.sample import GpuProcess, GpuSample
from .gpu_events import XidWatch
from .gpu_visible import is_visible

_log = logging.getLogger("comfystow.monitor")

_LOST = "GPU is lost"

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


#: A GPU that is gone for good must not cost a new start of the driver with every sample.
_REOPEN_SECONDS = 30.0


class NvmlReader:
    """Read all NVIDIA GPUs; `note` says in words why there are none."""

    def __init__(self, environment: Callable[[], Mapping[str, str]] = lambda: os.environ) -> None:
        """`environment` gives the variables of the process whose CUDA is meant: ComfyUI's, where it is attached."""
        self._environment = environment
        self._nvml: Any = None
        self._opened_at = 0.0
        self._xids: XidWatch | None = None
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
        handles = [_optional(nvml, partial(nvml.nvmlDeviceGetHandleByIndex, index)) for index in range(count)]
        if self._xids is None:
            self._xids = XidWatch(nvml, [handle for handle in handles if handle is not None])
        self._xids.poll()
        samples = [
            sample for index, handle in enumerate(handles) for sample in self._read_gpu(nvml, index, handle, count)
        ]
        if any(sample.name == _LOST for sample in samples) and time.monotonic() - self._opened_at > _REOPEN_SECONDS:
            self.close()  # after sleep or a reset the old handles stay dead until the driver is opened anew
        return tuple(samples)

    def close(self) -> None:
        """Let go of the driver, so that a GPU may sleep."""
        if self._xids is not None:
            self._xids.close()
            self._xids = None
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
        self._nvml, self.note, self._opened_at = pynvml, None, time.monotonic()
        return pynvml

    def _lose(self, nvml: Any, err: Exception) -> None:
        """Forget a driver that is gone; the next read initialises it anew."""
        _log.info("NVIDIA driver lost: %s", err)
        self.note = _why(nvml, err)
        self.close()

    def _read_gpu(self, nvml: Any, index: int, handle: Any, count: int) -> list[GpuSample]:
        uuid = _text(_optional(nvml, lambda: nvml.nvmlDeviceGetUUID(handle))) if handle is not None else None
        if uuid is None:
            return [GpuSample(uuid=f"lost-{index}", index=index, name=_LOST, vendor="nvidia")]
        errors, last = self._xids.of(uuid) if self._xids is not None else (None, None)
        parent = replace(self._sample(nvml, handle, index, count, uuid), xid_errors=errors, last_xid=last)
        return [parent, *self._slices(nvml, handle, parent, count)]

    def _slices(self, nvml: Any, handle: Any, parent: GpuSample, count: int) -> list[GpuSample]:
        slices = []
        for child in _mig_handles(nvml, handle):
            uuid = _text(_optional(nvml, partial(nvml.nvmlDeviceGetUUID, child)))
            if uuid is not None:
                sample = self._sample(nvml, child, parent.index, count, uuid)
                slices.append(replace(sample, parent_uuid=parent.uuid))
        return slices

    def _sample(self, nvml: Any, handle: Any, index: int, count: int, uuid: str) -> GpuSample:
        return replace(_sample(nvml, handle, index, uuid), visible=is_visible(self._environment(), index, uuid, count))


def _sample(nvml: Any, handle: Any, index: int, uuid: str) -> GpuSample:
    def ask(function: str, *arguments: object) -> Any:
        return _optional(nvml, lambda: getattr(nvml, function)(handle, *arguments))

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
        compute_capability=_map(ask("nvmlDeviceGetCudaComputeCapability"), lambda pair: f"{pair[0]}.{pair[1]}"),
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
