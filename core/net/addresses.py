"""Which IP addresses belong to the public internet.

`ipaddress.is_global` alone is not enough: multicast is "global", and an IPv6 address may carry a private IPv4 one
inside (RFC 4291 mapped, RFC 3056 6to4, RFC 6052 NAT64, RFC 4380 Teredo, RFC 5214 ISATAP).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

#: Metadata services of clouds. They hand out credentials to whoever asks, so not even a listed network opens them.
METADATA_ADDRESSES = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google, Azure, Oracle, DigitalOcean, OpenStack
        "169.254.170.2",  # AWS ECS task credentials
        "169.254.170.23",  # AWS EKS Pod Identity
        "169.254.0.23",  # Tencent
        "192.0.0.192",  # Oracle
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure WireServer: a public address that only its own machines reach
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS Pod Identity
        "fd20:ce::254",  # Google
    )
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# IANA's special-purpose registries, as far as `is_global` of Python 3.11 does not know them (or knows better than a
# download needs): protocol assignments with Teredo in them, 6to4 relays, documentation.
_SPECIAL = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
)
_ISATAP_MARKS = frozenset({0x00005EFE, 0x02005EFE})


def embedded_ipv4(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to this IPv6 address end at, or None."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    value = int(address)
    if address in _NAT64 or (value >> 32) & 0xFFFFFFFF in _ISATAP_MARKS:
        return IPv4Address(value & 0xFFFFFFFF)
    return None


def is_metadata(address: Address) -> bool:
    """Tell whether a cloud's metadata service answers there, in whatever wrapping."""
    return address in METADATA_ADDRESSES or embedded_ipv4(address) in METADATA_ADDRESSES


def is_public(address: Address) -> bool:
    """Tell whether the address is a host of the public internet."""
    if is_metadata(address) or address.is_multicast or any(address in network for network in _SPECIAL):
        return False
    inner = embedded_ipv4(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and (isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST)
