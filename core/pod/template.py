"""RunPod's template of a pod of ours: what it says, and bringing it to an account.

Facts: docs.runpod.io/api-reference-v2/templates (`GET`, `POST /v2/templates`, `PATCH /v2/templates/{id}`, schemas
`CreateTemplateRequest` and `UpdateTemplateRequest`). Names are unique in an account, so the name is what we go by. A
pod's own key may not do this; it takes one of the account's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..config import Settings
from ..errors import AuthRequiredError, ServerError, SourceError, StowError, UsageError
from ..idle.providers.api import ProviderApi, Told, Verdict
from ..idle.providers.runpod import RUNPOD_URL
from ..net.proxies import Proxies
from ..net.secrets import Secret

#: Schema `PersistentMount`: no smaller one is made.
_LEAST_VOLUME_GB = 10
_MOST_VARIABLES = 50
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateWish:
    """What somebody wants of a template. `volume_gb` 0 is no volume of the pod's own."""

    name: str
    image: str
    disk_gb: int = 30
    volume_gb: int = 50
    environment: tuple[tuple[str, str], ...] = ()
    public: bool = False


def make_template(wish: TemplateWish, settings: Settings) -> dict[str, Any]:
    """Return the body of `POST /v2/templates` (pure). Raises: UsageError: RunPod would not take it."""
    if not wish.name.strip() or not wish.image.strip():
        raise UsageError("a template has a name and an image", hint="say --name and --image")
    if wish.disk_gb < 1 or (wish.volume_gb != 0 and wish.volume_gb < _LEAST_VOLUME_GB):
        raise UsageError(f"the disk has 1 GB at least, the volume {_LEAST_VOLUME_GB}", hint="--volume 0 is none")
    if len(wish.environment) > _MOST_VARIABLES:
        raise UsageError(f"RunPod takes {_MOST_VARIABLES} variables at most")
    ports = [f"{port}/http" for port in (settings.comfyui_port, settings.jupyter_port, settings.files_port)]
    mounts = {"persistent": {"size": wish.volume_gb, "path": "/workspace"}} if wish.volume_gb else {}
    return {
        "name": wish.name.strip(),
        "image": wish.image.strip(),
        "disk": wish.disk_gb,
        "ports": [*ports, f"{settings.ssh_port}/tcp"],
        "env": dict(wish.environment),
        "category": "NVIDIA",
        "public": wish.public,
        "serverless": False,
        # `pod up` makes Jupyter's token; a password that RunPod makes would be a second one that opens nothing.
        "startJupyter": False,
        "startSsh": True,
        **({"mounts": mounts} if mounts else {}),
    }


def changes(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a `PATCH` has to say (pure); what others added to variables and ports stays."""
    merged = dict(wanted)
    if isinstance(there.get("env"), dict):
        merged["env"] = {**there["env"], **wanted["env"]}
    if isinstance(there.get("ports"), list):
        merged["ports"] = [*wanted["ports"], *(port for port in there["ports"] if port not in wanted["ports"])]
    return {name: value for name, value in merged.items() if there.get(name) != value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became, or would become, of the template: `created`, `updated` or `unchanged`."""

    action: str
    id: str | None
    changed: tuple[str, ...]


async def bring(
    template: Mapping[str, Any], key: Secret, settings: Settings, proxies: Proxies, *, dry_run: bool
) -> Outcome:
    """Create or update the template in the key's account; the same again changes nothing. Raises: StowError."""
    api = ProviderApi(settings.runpod_api_url, RUNPOD_URL, key, settings, proxies, timeout=_TIMEOUT_SECONDS)
    try:
        listed = _checked(await api.call("GET", "/v2/templates"))
        rows = listed.get("templates")
        named = [row for row in rows if isinstance(row, dict) and row.get("name") == template["name"]] if rows else []
        if not named:
            made = {} if dry_run else _checked(await api.call("POST", "/v2/templates", template))
            return Outcome(action="created", id=made.get("id"), changed=tuple(template))
        there = named[0]
        identity = str(there.get("id"))
        patch = changes(there, template)
        if not patch:
            return Outcome(action="unchanged", id=identity, changed=())
        if not dry_run:
            _checked(await api.call("PATCH", f"/v2/templates/{identity}", patch))
        return Outcome(action="updated", id=identity, changed=tuple(patch))
    finally:
        await api.close()


def _checked(told: Told) -> dict[str, Any]:
    """Return the answer's JSON. Raises: StowError: RunPod said no, or nothing."""
    if told.verdict is Verdict.DONE and isinstance(told.data, dict):
        return told.data
    raise _error(told)


def _error(told: Told) -> StowError:
    words = f"RunPod did not take it: {told.words}"
    if told.status in {401, 403}:
        return AuthRequiredError(words, hint="set RUNPOD_API_KEY to a key of your account that may write")
    if told.verdict is Verdict.AGAIN:
        return ServerError(words, hint="try again later", retry_after_seconds=told.pause_seconds)
    return SourceError(words)
