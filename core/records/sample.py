"""What the machine does at one moment. Unknown is None, never 0."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that holds memory on a GPU; in a container its id may belong to the host's namespace."""

    pid: int
    memory_used_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """One GPU, or one MIG slice of it (`parent_uuid` set). Ratios run from 0 to 1.

    `index` is the driver's own order; `visible` tells whether ComfyUI's CUDA may use it (CUDA_VISIBLE_DEVICES), None
    where that cannot be told. `xid_errors` counts what the driver reported while somebody looked; `last_xid` is the
    newest of those codes.
    """

    uuid: str
    index: int
    name: str
    vendor: str
    pci_bus_id: str | None = None
    parent_uuid: str | None = None
    compute_capability: str | None = None
    visible: bool | None = None
    utilization_ratio: float | None = None
    memory_used_bytes: int | None = None
    memory_reserved_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_celsius: float | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    clock_sm_hertz: float | None = None
    clock_memory_hertz: float | None = None
    throttle_reasons: tuple[str, ...] | None = None
    fan_ratio: float | None = None
    pcie_generation: int | None = None
    pcie_width: int | None = None
    ecc_uncorrected_errors: int | None = None
    xid_errors: int | None = None
    last_xid: int | None = None
    processes: tuple[GpuProcess, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSample:
    """Processor and memory as far as this container may use them; `cores` is the quota, not the host's count."""

    cores: float | None = None
    cpu_utilization_ratio: float | None = None
    memory_used_bytes: int | None = None
    memory_limit_bytes: int | None = None
    oom_kills: int | None = None
    load_1m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSample:
    """One file system that holds models. On a network volume the total may be the pool's, not the quota's."""

    path: str
    file_system: str | None = None
    network: bool | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None
    read_bytes_per_second: float | None = None
    write_bytes_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSample:
    """All interfaces but loopback together."""

    received_bytes_per_second: float | None = None
    sent_bytes_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSample:
    """Everything at one moment; `taken_at` is seconds since the epoch, `cost_seconds` what taking it cost in CPU."""

    taken_at: float
    gpus: tuple[GpuSample, ...] | None = None
    gpu_note: str | None = None
    host: HostSample = HostSample()
    disks: tuple[DiskSample, ...] = ()
    network: NetworkSample = NetworkSample()
    download_rate_bytes_per_second: float | None = None
    cost_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPoint:
    """What the history keeps of one GPU."""

    uuid: str
    utilization_ratio: float | None = None
    memory_used_bytes: int | None = None
    temperature_celsius: float | None = None
    power_watts: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """What the history keeps of one moment; `disk_free_bytes` is in the order of the sample's disks."""

    taken_at: float
    gpus: tuple[GpuPoint, ...] = ()
    cpu_utilization_ratio: float | None = None
    memory_used_bytes: int | None = None
    network_received_bytes_per_second: float | None = None
    network_sent_bytes_per_second: float | None = None
    download_rate_bytes_per_second: float | None = None
    disk_free_bytes: tuple[int | None, ...] = ()

    @classmethod
    def of(cls, sample: SystemSample) -> HistoryPoint:
        """Keep the numbers that a curve is drawn of."""
        return cls(
            taken_at=sample.taken_at,
            gpus=tuple(
                GpuPoint(
                    uuid=gpu.uuid,
                    utilization_ratio=gpu.utilization_ratio,
                    memory_used_bytes=gpu.memory_used_bytes,
                    temperature_celsius=gpu.temperature_celsius,
                    power_watts=gpu.power_watts,
                )
                for gpu in sample.gpus or ()
            ),
            cpu_utilization_ratio=sample.host.cpu_utilization_ratio,
            memory_used_bytes=sample.host.memory_used_bytes,
            network_received_bytes_per_second=sample.network.received_bytes_per_second,
            network_sent_bytes_per_second=sample.network.sent_bytes_per_second,
            download_rate_bytes_per_second=sample.download_rate_bytes_per_second,
            disk_free_bytes=tuple(disk.free_bytes for disk in sample.disks),
        )
