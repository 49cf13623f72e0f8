"""SOCKS proxies: what they are asked for, how fast paths use them, and what they may not be led to."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from comfystow.core.config import Settings
from comfystow.core.errors import ConfigError, ConnectFailedError, EgressError
from comfystow.core.net.client import HttpClient, HttpLimits
from comfystow.core.net.egress import EgressGate
from comfystow.core.net.hosts import AllowList
from comfystow.core.net.location import FIRST_BYTE, locate
from comfystow.core.net.proxies import Proxies
from hub.server import Hub
from support.socks import SocksServer, socks_server
from support.transfers import QUICK, job, open_engine, resolved, sha256_of

SIZE = 6_000_000
PATIENT = replace(QUICK, retry_base_seconds=60.0, retry_max_seconds=60.0)  # a second try would come after the test


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def far_hub(authority, tmp_path_factory) -> Iterator[Hub]:
    """Give a server that calls itself models.test."""
    pem = tmp_path_factory.mktemp("tls") / "server.pem"
    certificate = authority.issue_cert("models.test", "127.0.0.1")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    pem.write_bytes(certificate.private_key_pem.bytes() + chain + authority.cert_pem.bytes())
    with Hub(tmp_path_factory.mktemp("state"), tls_cert=pem) as running:
        yield running


@pytest.fixture(autouse=True)
def trusted(authority, monkeypatch) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    for module in ("transfer.connections.pool", "net.pinning"):
        monkeypatch.setattr(f"comfystow.core.{module}.ssl_context", lambda: context)


async def nearby(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def nobody(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


def gate(scheme: str, server: SocksServer, user: str = "", lookup=nobody, **settings) -> EgressGate:
    proxies = Proxies.from_environment({"ALL_PROXY": f"{scheme}://{user}127.0.0.1:{server.port}"})
    allowed = AllowList.build(Settings(**{"allow_hosts": ("models.test",), **settings}))
    return EgressGate(allowed, proxies=proxies, lookup=lookup)


def far(url: str) -> str:
    return url.replace("127.0.0.1", "models.test")


@pytest.mark.parametrize(
    ("scheme", "lookup", "asked"),
    [
        ("socks5h", nobody, ("name", "models.test")),
        ("socks4a", nobody, ("name", "models.test")),
        ("socks5", nearby, ("address", "127.0.0.1")),
        ("socks4", nearby, ("address", "127.0.0.1")),
    ],
)
async def test_files_and_metadata_come_through_the_proxy(far_hub, tmp_path, scheme, lookup, asked):
    far_hub.reset()
    row = far_hub.add_direct("far.bin", size_bytes=SIZE)
    far_hub.fault("rate", file="far.bin", bytes_per_second=4_000_000)
    with socks_server() as server:
        way = gate(scheme, server, lookup=lookup)
        client = HttpClient(HttpLimits(), way)
        place = await locate(client, far(row["url"]), span=FIRST_BYTE)
        await client.close()
        assert place.size_bytes == SIZE
        with open_engine(gate=way) as engine:
            work = job(resolved(far(row["url"]), sha256=row["sha256"]), tmp_path / "far.bin", connections=4)
            await engine.fetch(work)
    assert sha256_of(tmp_path / "far.bin") == row["sha256"]
    assert set(server.asked) == {asked}
    assert len(server.asked) > 2  # several connections, the fast way


async def test_bodies_without_a_length_come_through_the_proxy(far_hub, tmp_path):
    far_hub.reset()
    row = far_hub.add_direct("chunked.bin", size_bytes=300_000)
    far_hub.fault("no_length", file="chunked.bin")
    with socks_server() as server, open_engine(gate=gate("socks5h", server)) as engine:
        await engine.fetch(job(resolved(far(row["url"]), sha256=row["sha256"]), tmp_path / "chunked.bin"))
    assert sha256_of(tmp_path / "chunked.bin") == row["sha256"]


async def test_proxy_with_a_password(far_hub, tmp_path):
    far_hub.reset()
    row = far_hub.add_direct("own.bin", size_bytes=1000)
    with socks_server(("me", "p@ss")) as server:
        with open_engine(gate=gate("socks5h", server, "me:p%40ss@")) as engine:
            await engine.fetch(job(resolved(far(row["url"])), tmp_path / "own.bin"))
        for user in ("", "me:wrong@"):
            with open_engine(PATIENT, gate("socks5h", server, user)) as engine, pytest.raises(ConfigError) as caught:
                await engine.fetch(job(resolved(far(row["url"])), tmp_path / "other.bin"))
            assert "SOCKS" in caught.value.message
            assert "wrong" not in f"{caught.value!r} {caught.value.hint}"
    assert sha256_of(tmp_path / "own.bin") == row["sha256"]


async def test_proxy_that_is_not_there_is_told(tmp_path):
    with socks_server() as server:
        pass
    limits = replace(QUICK, retry_limit=1)
    with open_engine(limits, gate("socks5h", server)) as engine, pytest.raises(ConnectFailedError) as caught:
        await engine.fetch(job(resolved("https://models.test/x.bin"), tmp_path / "x.bin"))
    assert "SOCKS" in caught.value.message
    assert "ALL_PROXY" in (caught.value.hint or "")


async def test_missing_package_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_socks", None)
    with (
        socks_server() as server,
        open_engine(PATIENT, gate("socks5h", server)) as engine,
        pytest.raises(ConfigError) as caught,
    ):
        await engine.fetch(job(resolved("https://models.test/x.bin"), tmp_path / "x.bin"))
    assert "comfystow[proxy]" in (caught.value.hint or "")
    assert server.asked == []


async def test_addresses_are_judged_before_the_proxy_is_asked():
    async def inside(host: str, port: int) -> list[str]:
        return ["10.0.0.5"]

    with socks_server() as server:
        with pytest.raises(EgressError, match="no public address"):
            await gate("socks5", server, lookup=inside).check("https://huggingface.co/x")
        for scheme in ("socks5", "socks5h"):
            with pytest.raises(EgressError, match="not on the list"):
                await gate(scheme, server, lookup=nearby).check("https://evil.example/x")
        exempt = Proxies(f"socks5h://127.0.0.1:{server.port}", ("models.test",))
        way = EgressGate(AllowList.build(Settings(allow_hosts=("models.test",))), proxies=exempt, lookup=nearby)
        assert (await way.check("https://models.test/x")).proxy_url is None
    assert server.asked == []


@pytest.mark.parametrize("url", ["socks5://", "socks5://host:0", "socks5h://host:99999", "ftp://host"])
def test_proxies_that_cannot_be_used_are_refused(url):
    with pytest.raises(ConfigError) as caught:
        Proxies.from_environment({"ALL_PROXY": url})
    assert caught.value.hint
