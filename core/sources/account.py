"""Whether a token works, and if not, why: what `auth test` says."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import Settings
from ..errors import AuthRequiredError, UsageError
from ..net.client import HttpClient
from ..net.credentials import CIVITAI, HUGGINGFACE, Credentials, known_provider
from ..net.location import get_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose token it is, as the provider tells it."""

    provider: str
    user: str
    scope: str | None = None


async def check_token(client: HttpClient, settings: Settings, credentials: Credentials, provider: str) -> Account:
    """Ask the provider who the token's owner is.

    Raises: AuthRequiredError: there is none, or it is not taken; UsageError: the host cannot be asked.
    """
    name = known_provider(provider)
    if name not in {HUGGINGFACE, CIVITAI}:
        raise UsageError(f"a token for `{name}` cannot be tested", hint="download a file from there")
    if not credentials.has_token(name):
        raise AuthRequiredError(f"there is no token for {name}", hint=f"store one with `comfystow auth set {name}`")
    if name == HUGGINGFACE:
        data = await get_json(client, f"{settings.hf_endpoint.rstrip('/')}/api/whoami-v2", credentials=credentials)
        return Account(provider=name, user=_text(data, "name"), scope=_hub_scope(data))
    data = await get_json(client, f"{settings.civitai_endpoint.rstrip('/')}/api/v1/me", credentials=credentials)
    return Account(provider=name, user=_text(data, "username"), scope=_text(data, "tier") or None)


def _hub_scope(data: object) -> str | None:
    """Return the role of a Hugging Face token: `read`, `write` or `fineGrained` (hf_api.py, whoami)."""
    match data:
        case {"auth": {"accessToken": {"role": str(role)}}}:
            return role[:40]
        case _:
            return None


def _text(data: object, name: str) -> str:
    value = data.get(name) if isinstance(data, dict) else None
    return value[:100] if isinstance(value, str) else ""
