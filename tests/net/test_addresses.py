"""Which addresses count as the public internet."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from comfystow.core.net.addresses import is_metadata, is_public
from hypothesis import given
from hypothesis import strategies as st

PUBLIC = [
    "8.8.8.8",
    "18.238.4.10",
    "2606:4700::6810:1",
    "2001:4860:4860::8888",
    "64:ff9b::808:808",  # NAT64 of 8.8.8.8: how an IPv6-only network reaches it
    "2002:808:808::1",  # 6to4 of 8.8.8.8
    "::ffff:8.8.8.8",
]
NOT_PUBLIC = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
    "169.254.1.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1", "3fff::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
    "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1", "2002:a9fe:a9fe::",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1",
    "2001:0:808:808::1", "2001:0:a9fe:a9fe::",  # Teredo
    "2606:4700::5efe:a00:1", "fe80::5efe:7f00:1",  # ISATAP
]  # fmt: skip
METADATA = [
    "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254",
    "fd20:ce::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::ffff:168.63.129.16",
]  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_pass(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_private_local_and_embedded_addresses_do_not_pass(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", METADATA)
def test_metadata_services_are_known_in_every_wrapping(text: str) -> None:
    assert is_metadata(ip_address(text))
    assert not is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_public_only_when_the_inner_one_is(inner) -> None:
    number = int(inner)
    wrapped = [(0xFFFF << 32) | number, (0x64FF9B << 96) | number, (0x2002 << 112) | (number << 80) | 1]
    for value in wrapped:
        assert is_public(ip_address(value.to_bytes(16))) == is_public(inner)
