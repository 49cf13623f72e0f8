"""The GPUs and their driver as a start and the doctor need them: asked once, in a thread that may hang."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...detached import within

_DRIVER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU; `capability` is CUDA's compute capability."""

    name: str
    memory_bytes: int | None = None
    capability: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """What the driver tells; `cuda` is the newest version that it runs. `note` says why there is nothing."""

    driver: str | None = None
    cuda: tuple[int, int] | None = None
    gpus: tuple[Gpu, ...] = ()
    note: str | None = None

    @property
    def largest_gb(self) -> float | None:
        """The memory of the largest one in decimal gigabytes."""
        return max((gpu.memory_bytes / 1e9 for gpu in self.gpus if gpu.memory_bytes), default=None)


def read_gpus(timeout_seconds: float = _DRIVER_SECONDS) -> Gpus:
    """Ask NVIDIA's driver, and wait no longer than the time given."""
    found = within(timeout_seconds, "gpus", _read)
    return found if found is not None else Gpus(note=f"the driver did not answer within {timeout_seconds:g} s")


def _read() -> Gpus:
    try:
        import pynvml
    except ImportError:
        return Gpus(note="nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as err:
        return Gpus(note=str(err))
    try:
        count = pynvml.nvmlDeviceGetCount()
        cuda = _ask(pynvml, "nvmlSystemGetCudaDriverVersion_v2")
        return Gpus(
            driver=_text(_ask(pynvml, "nvmlSystemGetDriverVersion")),
            cuda=(cuda // 1000, cuda % 1000 // 10) if isinstance(cuda, int) else None,
            gpus=tuple(_gpu(pynvml, index) for index in range(count)),
        )
    except pynvml.NVMLError as err:
        return Gpus(note=str(err))
    finally:
        pynvml.nvmlShutdown()


def _gpu(pynvml: Any, index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = _ask(pynvml, "nvmlDeviceGetMemoryInfo", handle)
    capability = _ask(pynvml, "nvmlDeviceGetCudaComputeCapability", handle)
    return Gpu(
        name=_text(_ask(pynvml, "nvmlDeviceGetName", handle)) or "GPU",
        memory_bytes=int(memory.total) if memory is not None else None,
        capability=(int(capability[0]), int(capability[1])) if capability is not None else None,
    )


def _ask(pynvml: Any, function: str, *arguments: object) -> Any:
    """Call one function; what this driver does not have is unknown."""
    try:
        return getattr(pynvml, function)(*arguments)
    except (pynvml.NVMLError, AttributeError):
        return None


def _text(value: object) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else None
