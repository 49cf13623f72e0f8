"""Values of the catalogue's metrics at one moment: what a scrape shows and an alert judges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..records.catalogue import BY_NAME
from ..records.sample import DiskSample, GpuSample, SystemSample
from ..records.session import HostState


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric; `labels` in the catalogue's order."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class Counters:
    """What has been counted since the engine started. Every code starts at 0: a rate needs a beginning."""

    download_bytes: int = 0
    download_errors: dict[str, int] = field(default_factory=dict)
    downloads_completed: dict[str, int] = field(default_factory=dict)

    def readings(self) -> Iterator[Reading]:
        """Give every counter."""
        yield Reading("download_bytes", self.download_bytes)
        for code, count in self.download_errors.items():
            yield Reading("download_errors", count, (code,))
        for verified, count in self.downloads_completed.items():
            yield Reading("downloads_completed", count, (verified,))


def _known(values: Iterable[tuple[str, float | None]], labels: tuple[str, ...] = ()) -> Iterator[Reading]:
    """Give what is known: unknown is left out, never 0."""
    for name, value in values:
        if value is not None:
            yield Reading(name, value, labels)


def sample_readings(sample: SystemSample) -> Iterator[Reading]:
    """Give the metrics of one sample of the machine."""
    for gpu in sample.gpus or ():
        yield from _gpu_readings(gpu)
    host, network = sample.host, sample.network
    yield from _known(
        (
            ("cpu_utilization_ratio", host.cpu_utilization_ratio),
            ("cpu_cores", host.cores),
            ("memory_used_bytes", host.memory_used_bytes),
            ("memory_limit_bytes", host.memory_limit_bytes),
            ("oom_kills", host.oom_kills),
            ("network_received_bytes_per_second", network.received_bytes_per_second),
            ("network_sent_bytes_per_second", network.sent_bytes_per_second),
            ("sample_cost_seconds", sample.cost_seconds),
        )
    )
    for disk in sample.disks:
        yield from _disk_readings(disk)


def _disk_readings(disk: DiskSample) -> Iterator[Reading]:
    values = (
        ("disk_total_bytes", disk.total_bytes),
        ("disk_free_bytes", disk.free_bytes),
        ("disk_read_bytes_per_second", disk.read_bytes_per_second),
        ("disk_write_bytes_per_second", disk.write_bytes_per_second),
    )
    return _known(values, (disk.path,))


_GPU_METRICS = tuple(name for name in BY_NAME if name.startswith("gpu_") and name != "gpu_throttled")


def _gpu_readings(gpu: GpuSample) -> Iterator[Reading]:
    labels = (gpu.uuid, gpu.name)
    yield from _known(((name, getattr(gpu, name.removeprefix("gpu_"))) for name in _GPU_METRICS), labels)
    for reason in gpu.throttle_reasons or ():
        yield Reading("gpu_throttled", 1, (*labels, reason))


def host_readings(states: Mapping[str, HostState]) -> Iterator[Reading]:
    """Give what each attached ComfyUI tells of itself, by its id."""
    for server, state in states.items():
        values = (
            ("comfyui_queue_pending", state.queue_pending),
            ("comfyui_queue_running", state.queue_running),
            ("comfyui_loaded_models", len(state.loaded_models)),
            ("comfyui_torch_allocated_bytes", state.torch_allocated_bytes),
            ("comfyui_torch_reserved_bytes", state.torch_reserved_bytes),
        )
        yield from _known(values, (server,))
        for prompts in state.prompts:
            yield Reading("comfyui_prompts", prompts.count, (server, prompts.outcome))
            yield Reading("comfyui_prompt_seconds", prompts.seconds, (server, prompts.outcome))
