"""Which provider this machine is of, as its environment tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...config import Settings
from ...net.proxies import Proxies
from .command import Command
from .nobody import Nobody
from .provider import Provider
from .runpod import RunPod
from .vast import Vast, vast_instance

#: What a provider sets in a container, and nothing else of its environment is taken from there.
PROVIDER_VARIABLES = (
    "RUNPOD_POD_ID",
    "RUNPOD_API_KEY",
    "RUNPOD_DC_ID",
    "RUNPOD_VOLUME_ID",
    "RUNPOD_ENDPOINT_ID",
    "CONTAINER_ID",
    "CONTAINER_API_KEY",
    "VAST_CONTAINERLABEL",
)
_FIRST_PROCESS = Path("/proc/1/environ")


def detect(environment: Mapping[str, str], settings: Settings, proxies: Proxies) -> Provider:
    """Return the provider; the owner's own command comes before all. Raises: ConfigError."""
    beneath = _beneath(environment, settings, proxies)
    return Command(beneath, environment, settings) if settings.idle_stop_command else beneath


def _beneath(environment: Mapping[str, str], settings: Settings, proxies: Proxies) -> Provider:
    if environment.get("RUNPOD_ENDPOINT_ID"):
        return Nobody("this is a serverless worker: RunPod itself ends it when it is idle")
    if environment.get("RUNPOD_POD_ID"):
        return RunPod(environment, settings, proxies)
    if vast_instance(environment) is not None:
        return Vast(environment, settings, proxies)
    return Nobody()


def rented(environment: Mapping[str, str]) -> bool:
    """Tell whether this is a machine that goes on being billed until its provider stops it."""
    if environment.get("RUNPOD_ENDPOINT_ID"):
        return False
    return bool(environment.get("RUNPOD_POD_ID")) or vast_instance(environment) is not None


def completed_environment(environment: Mapping[str, str], first_process: Path = _FIRST_PROCESS) -> dict[str, str]:
    """Add the provider's variables that the container's first process has and this one lacks.

    A shell that comes in by SSH has none of them: sshd gives its children an environment of its own.
    """
    try:
        entries = first_process.read_bytes().split(b"\0")
    except OSError:  # not ours to read
        return dict(environment)
    pairs = (entry.decode("utf-8", "replace").partition("=") for entry in entries)
    inherited = {name: value for name, _, value in pairs if name in PROVIDER_VARIABLES and value}
    return {**inherited, **environment}
