"""All readers, by the names that the setting `idle_ignore` knows."""

from __future__ import annotations

from collections.abc import Callable

from ...config import Settings
from .comfyui import ComfyUi
from .jupyter import Jupyter
from .reader import Reader, Surroundings
from .sockets import Ssh, Transfers
from .work import Downloads, Gpu, KeepAlive

_MAKERS: dict[str, Callable[[Surroundings, Settings], Reader]] = {
    ComfyUi.name: lambda around, _: ComfyUi(around),
    Downloads.name: lambda around, _: Downloads(around),
    Jupyter.name: Jupyter,
    Transfers.name: lambda around, settings: Transfers(around, _ports(settings)),
    Ssh.name: lambda around, settings: Ssh(around, settings.ssh_port),
    Gpu.name: lambda around, settings: Gpu(around, settings.idle_gpu_threshold),
}

#: What can be left out; a wish of the owner's cannot.
NAMES = tuple(_MAKERS)


def make_readers(surroundings: Surroundings, settings: Settings, keep_alive: KeepAlive) -> list[Reader]:
    """Make a reader of each sign of life that is not to be ignored."""
    ignored = {name.strip().lower().lstrip("-") for name in settings.idle_ignore}
    return [*(make(surroundings, settings) for name, make in _MAKERS.items() if name not in ignored), keep_alive]


def _ports(settings: Settings) -> frozenset[int]:
    numbers = (text.strip() for text in settings.idle_ports)
    return frozenset(int(number) for number in numbers if number.isascii() and number.isdigit())
