"""The hosts that ComfyStow knows by itself, and the list of those that it may talk to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from ..config import Settings
from ..errors import ConfigError
from .addresses import Address

HUGGINGFACE_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
CIVITAI_HOSTS = frozenset({"civitai.com", "www.civitai.com", "civitai.red", "www.civitai.red"})
GITHUB_HOSTS = frozenset({"github.com"})

#: Where the providers' redirects lead. A leading dot takes every name below it.
_STORAGE_HOSTS = (
    # cdn-lfs*.huggingface.co; cdn-lfs*.hf.co, us.aws.cdn.hf.co, cas-bridge.xethub.hf.co: the names change with region
    # and generation of the storage, the two domains are Hugging Face's own (Spaces live under hf.space).
    ".huggingface.co",
    ".hf.co",
    # b2.civitai.com, image.civitai.com; R2's S3 endpoint carries an account id that may change.
    ".civitai.com",
    ".civitai.red",
    ".r2.cloudflarestorage.com",
    ".backblazeb2.com",
    # GitHub's release assets (objects until 2025, release-assets since), raw files and LFS files.
    "objects.githubusercontent.com",
    "release-assets.githubusercontent.com",
    "raw.githubusercontent.com",
    "media.githubusercontent.com",
)
PROVIDER_HOSTS = (*sorted(HUGGINGFACE_HOSTS | CIVITAI_HOSTS | GITHUB_HOSTS), *_STORAGE_HOSTS)

_HOST_FORM = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_MAX_HOST_LENGTH = 253


def normalise_host(text: str) -> str | None:
    """Return a host name in the one form that is compared: lower-case ASCII, no final dot; None when it is none.

    A name whose last label is a number is refused unless it is a plain IP address: resolvers read `127.1`,
    `2130706433` and `0x7f.1` as 127.0.0.1 (WHATWG URL, "ends in a number").
    """
    host = text.lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii").lower()
        except UnicodeError:
            return None
    host = host.removesuffix(".")
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).compressed if "%" not in host else None
    except ValueError:
        pass
    if len(host) > _MAX_HOST_LENGTH or _HOST_FORM.fullmatch(host) is None or _ENDS_IN_NUMBER.fullmatch(host):
        return None
    return host


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Return (scheme, host, port) of an http(s) URL, None when it has no proper one or carries userinfo."""
    if any(char <= " " or char in "\\\x7f" for char in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        return None
    host = normalise_host(parts.hostname)
    if host is None or port == 0:
        return None
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80)


@dataclass(frozen=True, slots=True)
class HostRule:
    """One host, or with a leading dot every name below it; `port` None takes any."""

    host: str
    port: int | None

    def takes(self, host: str, port: int) -> bool:
        """Tell whether the rule names that host and port."""
        if self.port not in {None, port}:
            return False
        return host.endswith(self.host) and host != self.host if self.host.startswith(".") else host == self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """What may be reached: `providers` on public addresses only, `added` and `networks` wherever they are."""

    providers: tuple[HostRule, ...] = ()
    added: tuple[HostRule, ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def build(cls, settings: Settings) -> AllowList:
        """Make the list from the settings. Raises: ConfigError: an entry is neither host nor network."""
        added: list[HostRule] = []
        networks: list[IPv4Network | IPv6Network] = []
        for text in settings.allow_hosts:
            entry = parse_entry(text)
            if isinstance(entry, HostRule):
                added.append(entry)
            else:
                networks.append(entry)
        known = HUGGINGFACE_HOSTS | CIVITAI_HOSTS
        for name, url in (("HF_ENDPOINT", settings.hf_endpoint), ("CIVITAI_ENDPOINT", settings.civitai_endpoint)):
            origin = origin_of(url)
            if origin is None:
                raise ConfigError(f"{name}=`{url[:80]}` is no http(s) address", hint="write https://host[:port]")
            if origin[1] not in known:
                added.append(HostRule(origin[1], origin[2]))
        return cls(
            providers=tuple(HostRule(host, 443) for host in PROVIDER_HOSTS),
            added=tuple(added),
            networks=tuple(networks),
        )

    def is_provider(self, host: str, port: int) -> bool:
        """Tell whether ComfyStow knows the host by itself."""
        return any(rule.takes(host, port) for rule in self.providers)

    def is_added(self, host: str, port: int) -> bool:
        """Tell whether the user listed the host."""
        return any(rule.takes(host, port) for rule in self.added)

    def in_network(self, address: Address) -> bool:
        """Tell whether the user listed a network that holds the address."""
        return any(address in network for network in self.networks)


def parse_entry(text: str) -> HostRule | IPv4Network | IPv6Network:
    """Read one entry of COMFYSTOW_ALLOW_HOSTS: host, host:port, `*.domain`, or a network. Raises: ConfigError."""
    entry = text.strip()
    if "/" in entry:
        try:
            return ip_network(entry, strict=False)
        except ValueError:
            raise _bad_entry(text) from None
    name, port = _split_port(entry)
    below = name.startswith(("*.", "."))
    host = normalise_host(name.removeprefix("*").removeprefix(".") if below else name)
    if host is None or (port is not None and not 0 < port < 1 << 16):
        raise _bad_entry(text)
    return HostRule(f".{host}" if below else host, port)


def _split_port(entry: str) -> tuple[str, int | None]:
    name, colon, digits = entry.rpartition(":")
    if colon and digits.isdigit() and (":" not in name or name.endswith("]")):
        return name, int(digits)
    return entry, None


def _bad_entry(text: str) -> ConfigError:
    return ConfigError(
        f"COMFYSTOW_ALLOW_HOSTS: `{text[:80]}` is neither a host nor a network",
        hint="write models.example.com, 10.0.0.5:9000, *.example.com or 10.0.0.0/8",
    )
