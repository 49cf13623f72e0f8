"""AMD GPUs from sysfs (kernel documentation: gpu/amdgpu/driver-misc and gpu/amdgpu/thermal), without any library."""

from __future__ import annotations

from pathlib import Path

from ..records.sample import GpuSample

_AMD_VENDOR = "0x1002"


def read_amd(sys: Path = Path("/sys")) -> tuple[GpuSample, ...]:
    """Read every AMD card of the amdgpu driver; a file that is not there leaves its field None."""
    cards = sorted((sys / "class" / "drm").glob("card[0-9]*/device"), key=lambda path: path.parent.name)
    found = [card for card in cards if "-" not in card.parent.name and _read(card / "vendor") == _AMD_VENDOR]
    return tuple(_sample(card, index) for index, card in enumerate(found))


def _sample(device: Path, index: int) -> GpuSample:
    sensors = next(iter(sorted(device.glob("hwmon/hwmon*"))), device / "hwmon")
    bus = device.resolve().name
    fan, fan_max = _number(sensors / "pwm1"), _number(sensors / "pwm1_max")
    return GpuSample(
        uuid=_read(device / "unique_id") or bus,
        index=index,
        name=_read(device / "product_name") or "AMD GPU",
        vendor="amd",
        pci_bus_id=bus,
        utilization_ratio=_scaled(device / "gpu_busy_percent", 100),
        memory_used_bytes=_number(device / "mem_info_vram_used"),
        memory_total_bytes=_number(device / "mem_info_vram_total"),
        temperature_celsius=_scaled(sensors / "temp1_input", 1000),
        power_watts=_first_scaled((sensors / "power1_average", sensors / "power1_input"), 1_000_000),
        power_limit_watts=_scaled(sensors / "power1_cap", 1_000_000),
        clock_sm_hertz=_scaled(sensors / "freq1_input", 1),
        clock_memory_hertz=_scaled(sensors / "freq2_input", 1),
        fan_ratio=fan / fan_max if fan is not None and fan_max else None,
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip() or None
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _read(path)
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def _scaled(path: Path, divisor: float) -> float | None:
    value = _number(path)
    return None if value is None else value / divisor


def _first_scaled(paths: tuple[Path, ...], divisor: float) -> float | None:
    return next((value for path in paths if (value := _scaled(path, divisor)) is not None), None)
