"""Whose machine this is, as far as the services need to know (pure): where a browser reaches a port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_OF_VAST = ("VAST_CONTAINERLABEL", "CONTAINER_API_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """`name` is runpod, vast or none."""

    name: str = "none"
    pod_id: str | None = None
    environment: tuple[tuple[str, str], ...] = ()

    def origin(self, port: int) -> str | None:
        """Return the origin under which the provider's proxy shows a port, None where there is no proxy."""
        if self.name == "runpod" and self.pod_id:
            return f"https://{self.pod_id}-{port}.proxy.runpod.net"
        return None

    def url(self, port: int) -> str | None:
        """Return how somebody elsewhere reaches a port over TCP or HTTP, None where that is not known."""
        known = dict(self.environment)
        if self.name == "vast" and (address := known.get("PUBLIC_IPADDR")):
            outside = known.get(f"VAST_TCP_PORT_{port}")
            return f"http://{address}:{outside}" if outside else None
        return self.origin(port)


def detect_provider(environment: Mapping[str, str]) -> Provider:
    """Read the variables that providers set in their containers."""
    if pod_id := environment.get("RUNPOD_POD_ID"):
        return Provider(name="runpod", pod_id=pod_id)
    if not any(name in environment for name in _OF_VAST):
        return Provider()
    from ...idle.providers.vast import vast_instance  # late: ComfyUI's start waits for this module

    if (instance := vast_instance(environment)) is not None:
        kept = {name: text for name, text in environment.items() if name.startswith(("VAST_TCP_PORT_", "PUBLIC_IP"))}
        return Provider(name="vast", pod_id=instance, environment=tuple(sorted(kept.items())))
    return Provider()
