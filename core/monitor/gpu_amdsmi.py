"""AMD GPUs: sysfs, and where AMD's own library is installed what it knows better.

`amdsmi` comes with ROCm (`pip install amdsmi` of the same version); it is optional, and each of its answers is. Units
as its documentation states them (ROCm 6 and 7, "AMD SMI Python API"): VRAM in MiB, power in W, clocks in MHz,
temperatures in °C, activity in percent; `N/A` where a card does not tell.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..records.sample import GpuProcess, GpuSample
from .gpu_amd import read_amd

_log = logging.getLogger("comfystow.monitor")

_MIB = 1 << 20
#: The compute driver's device: cards can be there without a folder in this container's sysfs.
_KFD = Path("/dev/kfd")
_PROCESSES_KEPT = 64
_NAMELESS = "AMD GPU"


class AmdReader:
    """Reads AMD cards; the library is opened with the first read that finds one, and let go with the last lease."""

    def __init__(self, *, sys: Path = Path("/sys"), kfd: Path = _KFD) -> None:
        self._sys = sys
        self._kfd = kfd
        self._library: Any = None
        self._useless = False

    def read(self) -> tuple[GpuSample, ...]:
        """Take one sample of each card, nothing where there is none. May hang in a driver."""
        cards = read_amd(self._sys)
        if not cards and not self._kfd.exists():
            return ()
        library = self._ready()
        if library is None:
            return cards
        try:
            handles = list(library.amdsmi_get_processor_handles())
        except Exception as err:  # noqa: BLE001 - the library's errors share no base with anything of ours
            self._lose(err)
            return cards
        told = [_sample(library, handle, index) for index, handle in enumerate(handles)]
        return _joined(cards, told)

    def close(self) -> None:
        """Let go of the driver."""
        library, self._library = self._library, None
        if library is not None:
            _optional(library.amdsmi_shut_down)

    def _ready(self) -> Any:
        if self._library is None and not self._useless:
            try:
                library = importlib.import_module("amdsmi")
                library.amdsmi_init()
            except ImportError:
                self._useless = True  # not installed: sysfs is what there is
            except Exception as err:  # noqa: BLE001 - a library without its driver raises whatever its loader does
                self._lose(err)
                self._useless = True
            else:
                self._library = library
        return self._library

    def _lose(self, err: Exception) -> None:
        _log.info("amdsmi does not answer, sysfs is read alone: %s", err)
        self.close()


def _joined(cards: tuple[GpuSample, ...], told: list[GpuSample]) -> tuple[GpuSample, ...]:
    """Lay what the library tells over the cards of sysfs, by their place on the bus."""
    by_bus = {card.pci_bus_id: card for card in cards}
    joined = []
    for sample in told:
        card = by_bus.pop(sample.pci_bus_id, None)
        known = {item.name: value for item in fields(sample) if (value := getattr(sample, item.name)) is not None}
        if card is not None and sample.uuid == sample.pci_bus_id:
            known["uuid"] = card.uuid
        if card is not None and sample.name == _NAMELESS:
            known["name"] = card.name
        joined.append(sample if card is None else replace(card, **known))
    rest = [replace(card, index=len(joined) + place) for place, card in enumerate(by_bus.values())]
    return (*joined, *rest)


def _sample(library: Any, handle: Any, index: int) -> GpuSample:
    def ask(name: str, *arguments: Any) -> Any:
        return _optional(lambda: getattr(library, name)(handle, *arguments))

    bus = _text(ask("amdsmi_get_gpu_device_bdf"))
    memory, power = _mapping(ask("amdsmi_get_gpu_vram_usage")), _mapping(ask("amdsmi_get_power_info"))
    activity = _number(_mapping(ask("amdsmi_get_gpu_activity")).get("gfx_activity"))
    fan, most = _number(ask("amdsmi_get_gpu_fan_speed", 0)), _number(ask("amdsmi_get_gpu_fan_speed_max", 0))
    bus_state = _mapping(_mapping(ask("amdsmi_get_pcie_info")).get("pcie_metric"))
    ecc = _mapping(ask("amdsmi_get_gpu_total_ecc_count")).get("uncorrectable_count")
    return GpuSample(
        uuid=_text(ask("amdsmi_get_gpu_device_uuid")) or bus or f"amd-{index}",
        index=index,
        name=_text(_mapping(ask("amdsmi_get_gpu_asic_info")).get("market_name")) or _NAMELESS,
        vendor="amd",
        pci_bus_id=bus,
        utilization_ratio=activity / 100 if activity is not None else None,
        memory_used_bytes=_scaled(memory.get("vram_used"), _MIB),
        memory_total_bytes=_scaled(memory.get("vram_total"), _MIB),
        temperature_celsius=_temperature(library, ask),
        power_watts=_first(power, "current_socket_power", "average_socket_power", "socket_power"),
        power_limit_watts=_limit(power),
        clock_sm_hertz=_clock(library, ask, "GFX"),
        clock_memory_hertz=_clock(library, ask, "MEM"),
        fan_ratio=fan / most if fan is not None and most else None,
        pcie_width=_scaled(bus_state.get("pcie_width"), 1),
        ecc_uncorrected_errors=_scaled(ecc, 1),
        processes=_processes(ask("amdsmi_get_gpu_process_list")),
    )


def _temperature(library: Any, ask: Callable[..., Any]) -> float | None:
    """Return the hotspot's temperature where the card tells it, else the edge's."""
    current = _optional(lambda: library.AmdSmiTemperatureMetric.CURRENT)
    kinds = [_optional(lambda name=name: getattr(library.AmdSmiTemperatureType, name)) for name in ("HOTSPOT", "EDGE")]  # type: ignore[misc]
    found = (_number(ask("amdsmi_get_temp_metric", kind, current)) for kind in kinds if kind is not None)
    return next((value for value in found if value), None)


def _clock(library: Any, ask: Callable[..., Any], name: str) -> float | None:
    kind = _optional(lambda: getattr(library.AmdSmiClkType, name))
    megahertz = _first(_mapping(ask("amdsmi_get_clock_info", kind)), "clk", "cur_clk") if kind is not None else None
    return megahertz * 1e6 if megahertz is not None else None


def _limit(power: Mapping[str, Any]) -> float | None:
    """Return the limit in W; versions before ROCm 7 tell it in µW."""
    limit = _number(power.get("power_limit"))
    if limit is None:
        return None
    return limit / 1e6 if limit > 1e5 else limit


def _processes(rows: Any) -> tuple[GpuProcess, ...] | None:
    if not isinstance(rows, list):
        return None
    found = []
    for row in rows[:_PROCESSES_KEPT]:
        pid, used = _mapping(row).get("pid"), _mapping(_mapping(row).get("memory_usage")).get("vram_mem")
        if isinstance(pid, int):
            found.append(GpuProcess(pid=pid, memory_used_bytes=_scaled(used, 1)))
    return tuple(found)


def _first(values: Mapping[str, Any], *names: str) -> float | None:
    return next((number for name in names if (number := _number(values.get(name))) is not None), None)


def _scaled(value: Any, factor: int) -> int | None:
    number = _number(value)
    return int(number * factor) if number is not None else None


def _number(value: Any) -> float | None:
    """Return a number that can be; `N/A`, and the largest value that stands for it, are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 48:
        return None
    return None if value in {0xFFFF, 0xFFFFFFFF} else float(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value not in {"", "N/A"} else None


def _optional(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:  # noqa: BLE001 - one card that does not know one thing must not hide the rest
        return None
