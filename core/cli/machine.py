"""A sample of the machine as lines of text: one number, one place where it becomes words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..units import format_bytes, format_duration, format_rate

Tone = Literal["plain", "warn", "bad"]
_ALMOST_FULL = 0.9
_HOT_CELSIUS = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line; `ratio` from 0 to 1 is drawn as a bar, unknown is None. A headline has no label."""

    text: str
    label: str = ""
    ratio: float | None = None
    tone: Tone = "plain"


def lines_of(view: dict[str, Any]) -> list[Line]:
    """Turn the answer of `GET /system` into lines."""
    sample = view.get("sample")
    if sample is None:
        return [Line(text="no sample yet")]
    lines = [line for gpu in sample["gpus"] or () for line in _gpu(gpu)]
    if not lines:
        lines = [Line(label="GPU", text=sample["gpu_note"] or "none")]
    lines += _host(sample["host"])
    lines += [line for disk in sample["disks"] for line in _disk(disk, view)]
    lines.append(_network(sample))
    for host in view.get("hosts", ()):
        lines += _comfyui(host["state"])
    for alert in view.get("alerts", ()):
        tone: Tone = "bad" if alert["severity"] == "critical" else "warn"
        lines.append(Line(label="alert", text=f"{alert['summary']} ({alert['action']})", tone=tone))
    return lines


def _gpu(gpu: dict[str, Any]) -> list[Line]:
    used, total = gpu["memory_used_bytes"], gpu["memory_total_bytes"]
    facts = [_number(gpu["temperature_celsius"], "°C"), _number(gpu["power_watts"], "W")]
    if gpu["visible"] is False:
        facts.append("not visible to ComfyUI")
    hot = (gpu["temperature_celsius"] or 0) >= _HOT_CELSIUS
    reasons = gpu["throttle_reasons"] or []
    lines = [
        Line(text=f"GPU {gpu['index']}{' slice' if gpu['parent_uuid'] else ''} · {gpu['name']} · {' · '.join(facts)}",
             tone="warn" if hot else "plain"),
        Line(label="  busy", text=_percent(gpu["utilization_ratio"]), ratio=gpu["utilization_ratio"]),
        Line(label="  VRAM", text=f"{format_bytes(used)} of {format_bytes(total)}", **_fill(_ratio(used, total))),
    ]  # fmt: skip
    if reasons:
        lines.append(Line(label="  held down", text=", ".join(reasons), tone="warn"))
    if gpu["xid_errors"]:
        lines.append(Line(label="  Xid", text=f"{gpu['xid_errors']} errors, the last {gpu['last_xid']}", tone="bad"))
    return lines


def _host(host: dict[str, Any]) -> list[Line]:
    cpu, cores = host["cpu_utilization_ratio"], host["cores"]
    used, limit = host["memory_used_bytes"], host["memory_limit_bytes"]
    busy = "n/a" if cpu is None or cores is None else f"{cpu * cores:.1f}"
    lines = [
        Line(label="CPU", text=f"{busy} of {_number(cores, 'cores')}", ratio=cpu),
        Line(label="memory", text=f"{format_bytes(used)} of {format_bytes(limit)}", **_fill(_ratio(used, limit))),
    ]
    if host["oom_kills"]:
        lines.append(Line(label="killed", text=f"{host['oom_kills']} for want of memory", tone="bad"))
    return lines


def _disk(disk: dict[str, Any], view: dict[str, Any]) -> list[Line]:
    free, total = disk["free_bytes"], disk["total_bytes"]
    used = _ratio(total - free, total) if free is not None and total is not None else None
    kind = f" · {disk['file_system']}" if disk["file_system"] else ""
    lines = [Line(label=disk["path"], text=f"{format_bytes(free)} free{kind}", **_fill(used))]
    seconds = view.get("disk_full_in_seconds", {}).get(disk["path"])
    if seconds is not None:
        lines.append(Line(label="", text=f"full in about {format_duration(seconds)} at this rate", tone="warn"))
    return lines


def _network(sample: dict[str, Any]) -> Line:
    network, downloads = sample["network"], sample["download_rate_bytes_per_second"]
    text = (
        f"{format_rate(network['received_bytes_per_second'])} in · {format_rate(network['sent_bytes_per_second'])} out"
    )
    return Line(label="network", text=f"{text} · downloads {format_rate(downloads)}" if downloads else text)


def _comfyui(state: dict[str, Any]) -> list[Line]:
    running, pending = state["queue_running"], state["queue_pending"]
    lines = [Line(label="ComfyUI", text=f"{_number(running, 'running')} · {_number(pending, 'waiting')}")]
    if state.get("torch_reserved_bytes"):
        used, kept = format_bytes(state["torch_allocated_bytes"]), format_bytes(state["torch_reserved_bytes"])
        lines.append(Line(label="  torch", text=f"{used} in use of {kept} that it keeps"))
    for model in state["loaded_models"]:
        where = f"{format_bytes(model['vram_bytes'])} in VRAM · {format_bytes(model['ram_bytes'])} in RAM"
        lines.append(Line(label=f"  {model['name']}", text=where))
    return lines


def _fill(ratio: float | None) -> dict[str, Any]:
    return {"ratio": ratio, "tone": "warn" if ratio is not None and ratio >= _ALMOST_FULL else "plain"}


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else min(1.0, part / whole)


def _percent(ratio: float | None) -> str:
    return "n/a" if ratio is None else f"{ratio:.0%}"


def _number(value: float | None, unit: str) -> str:
    return f"n/a {unit}" if value is None else f"{value:g} {unit}"
