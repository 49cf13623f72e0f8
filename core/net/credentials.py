"""Whose token goes where.

A token belongs to its provider's own hosts and goes nowhere else. It comes, first found, from the environment of the
session, `credentials.json` of the state folder, Docker's build secrets, and (Hugging Face) the hub's own token file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..config import Settings
from ..errors import UsageError
from .hosts import CIVITAI_HOSTS, HUGGINGFACE_HOSTS, normalise_host, origin_of
from .secrets import MASK, Secret, scrub
from .tokenfile import TokenFile

HUGGINGFACE = "huggingface"
CIVITAI = "civitai"

#: Docker mounts `RUN --mount=type=secret,id=hf_token` there (Dockerfile reference, "RUN --mount=type=secret").
BUILD_SECRETS_DIR = Path("/run/secrets")

_MAX_TOKEN_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class _Provider:
    hosts: frozenset[str]
    variables: tuple[str, ...]
    secret_files: tuple[str, ...]


_PROVIDERS = {
    HUGGINGFACE: _Provider(
        HUGGINGFACE_HOSTS,
        ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
        ("hf_token", "HF_TOKEN", "huggingface_token"),
    ),
    CIVITAI: _Provider(
        CIVITAI_HOSTS,
        ("CIVITAI_TOKEN", "CIVITAI_API_KEY", "CIVITAI_API_TOKEN"),
        ("civitai_token", "CIVITAI_TOKEN", "civitai_api_key"),
    ),
}
PROVIDERS = tuple(_PROVIDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialStatus:
    """Whether a provider has a token, and where from; never the token."""

    provider: str
    is_set: bool
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The tokens of one caller. Nothing of it is shown: its repr names providers only."""

    settings: Settings
    environment: Mapping[str, str]
    file: TokenFile | None = None
    secrets_dir: Path | None = None
    home: Path | None = None

    @classmethod
    def load(
        cls,
        settings: Settings,
        *,
        state_dir: Path | None = None,
        environment: Mapping[str, str] | None = None,
        secrets_dir: Path | None = BUILD_SECRETS_DIR,
        home: Path | None = None,
    ) -> Credentials:
        """Bind the sources of tokens together; files are read when a token is asked for, so changes count at once."""
        return cls(
            settings=settings,
            environment=environment or {},
            file=TokenFile(state_dir / "credentials.json") if state_dir is not None else None,
            secrets_dir=secrets_dir,
            home=home or Path.home(),
        )

    def with_environment(self, environment: Mapping[str, str]) -> Credentials:
        """Return the same with a session's environment over our own: its token of a provider hides all of ours."""
        hidden = {
            variable
            for provider in _PROVIDERS.values()
            if any(environment.get(name) for name in provider.variables)
            for variable in provider.variables
        }
        own = {name: value for name, value in self.environment.items() if name not in hidden}
        return replace(self, environment={**own, **environment})

    def headers_for(self, url: str) -> dict[str, str]:
        """Return the Authorization header when the URL's scheme, host and port are a token's own, else nothing."""
        provider = self.provider_of(url)
        found = self._find(provider) if provider is not None else None
        return {"Authorization": f"Bearer {found[0].reveal()}"} if found is not None else {}

    def has_token(self, provider: str) -> bool:
        """Tell whether there is a token for the provider."""
        return self._find(provider) is not None

    def provider_of(self, url: str) -> str | None:
        """Return whose token, if any, belongs to the URL: a provider, or a host that has a token of its own."""
        origin = origin_of(url)
        if origin is None:
            return None
        standard = origin[0] == "https" and origin[2] == 443
        for name, provider in _PROVIDERS.items():
            if origin == self._endpoint(name) or (standard and origin[1] in provider.hosts):
                return name
        return origin[1] if standard else None

    def set(self, provider: str, token: str) -> None:
        """Keep a token in the state folder. Raises: UsageError: no such provider, or no token."""
        name, text = known_provider(provider), token.strip()
        if not text or len(text) > _MAX_TOKEN_LENGTH or not text.isascii() or not text.isprintable() or " " in text:
            raise UsageError("that is no token", hint="paste the token alone, without quotes or spaces")
        self._writable().write(name, text)

    def clear(self, provider: str) -> bool:
        """Forget the state folder's token; tells whether there was one."""
        return self._writable().remove(known_provider(provider))

    def status(self, provider: str | None = None) -> list[CredentialStatus]:
        """Tell for each provider, and each host with a token, whether there is one and where from."""
        names = [known_provider(provider)] if provider is not None else list(PROVIDERS)
        if provider is None and self.file is not None:
            names += sorted(set(self.file.read()) - set(names))
        rows = ((name, self._find(name)) for name in names)
        return [
            CredentialStatus(provider=name, is_set=found is not None, origin=found[1] if found else None)
            for name, found in rows
        ]

    def scrub(self, text: str) -> str:
        """Return a text without any of these tokens and without what looks like a secret."""
        names = [*PROVIDERS, *(self.file.read() if self.file is not None else ())]
        for found in filter(None, map(self._find, names)):
            text = text.replace(found[0].reveal(), MASK)
        return scrub(text)

    def __repr__(self) -> str:
        return f"Credentials({', '.join(row.provider for row in self.status() if row.is_set) or 'none'})"

    def _writable(self) -> TokenFile:
        if self.file is None:
            raise UsageError("there is no state folder to keep a token in", hint="give --state-dir")
        return self.file

    def _endpoint(self, provider: str) -> tuple[str, str, int] | None:
        return origin_of(self.settings.hf_endpoint if provider == HUGGINGFACE else self.settings.civitai_endpoint)

    def _find(self, name: str) -> tuple[Secret, str] | None:
        provider = _PROVIDERS.get(name)
        for variable in provider.variables if provider is not None else ():
            if text := _clean(self.environment.get(variable, "")):
                return Secret(text), f"environment {variable}"
        if self.file is not None and (kept := self.file.read().get(name)) is not None:
            return kept, self.file.path.name
        if self.secrets_dir is not None and provider is not None:
            for filename in provider.secret_files:
                if text := _read(self.secrets_dir / filename):
                    return Secret(text), f"build secret {filename}"
        if name == HUGGINGFACE and (path := self._hub_file()) is not None and (text := _read(path)):
            return Secret(text), "token file of huggingface_hub"
        return None

    def _hub_file(self) -> Path | None:
        """Return where `hf auth login` keeps its token (huggingface_hub `constants.py`: HF_TOKEN_PATH, HF_HOME)."""
        if path := self.environment.get("HF_TOKEN_PATH"):
            return Path(path).expanduser()
        if folder := self.environment.get("HF_HOME"):
            return Path(folder).expanduser() / "token"
        if self.home is None:
            return None
        cache = self.environment.get("XDG_CACHE_HOME")
        return (Path(cache) if cache else self.home / ".cache") / "huggingface" / "token"


def known_provider(text: str) -> str:
    """Return a provider's name, or a host's for a token of its own. Raises: UsageError."""
    name = {"hf": HUGGINGFACE}.get(text.lower(), text.lower())
    if name in _PROVIDERS:
        return name
    host = normalise_host(name)
    owner = next((key for key, provider in _PROVIDERS.items() if host in provider.hosts), None)
    if owner is not None:
        return owner
    if host is not None and "." in host:
        return host
    raise UsageError(f"there is no provider `{text[:60]}`", hint=f"use {', '.join(PROVIDERS)}, or a host name")


def _clean(text: str) -> str:
    return text.replace("\r", "").replace("\n", "").strip()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _clean(file.read(_MAX_TOKEN_LENGTH).decode("ascii"))
    except (OSError, ValueError):
        return ""
