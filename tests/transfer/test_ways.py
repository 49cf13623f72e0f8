"""The ways to a server: TLS, names, proxies, limits, and how many connections they are worth."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
import trustme
from comfystow.core.config import Settings
from comfystow.core.errors import CertificateError, ConnectFailedError, EgressError
from comfystow.core.net import tls
from comfystow.core.net.egress import EgressGate
from comfystow.core.net.hosts import AllowList
from comfystow.core.net.proxies import Proxies
from comfystow.core.records.download import Verified
from hub.server import Hub
from support.transfers import QUICK, job, loopback_gate, open_engine, resolved, sha256_of

SIZE = 6_000_000


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority, monkeypatch) -> Iterator[None]:
    """Trust the test's authority, as SSL_CERT_FILE would."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    monkeypatch.setattr("comfystow.core.transfer.connections.pool.ssl_context", lambda: context)
    yield
    tls.ssl_context.cache_clear()


@pytest.fixture(scope="module")
def tls_hub(authority, tmp_path_factory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("tls")
    pem = folder / "server.pem"
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    pem.write_bytes(certificate.private_key_pem.bytes() + chain + authority.cert_pem.bytes())
    with Hub(tmp_path_factory.mktemp("tls-state"), tls_cert=pem) as running:
        yield running


@pytest.mark.parametrize("connections", [1, 8])
async def test_tls(engine, tls_hub, trusted, tmp_path, connections):
    tls_hub.reset()
    row = tls_hub.add_file("me/repo", "secure.bin", size_bytes=SIZE)
    result = await engine.fetch(job(resolved(row["url"]), tmp_path / "secure.bin", connections=connections))
    assert sha256_of(tmp_path / "secure.bin") == row["sha256"]
    assert result.bytes_fetched == SIZE


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("connections", [1, 8])
async def test_cut_tls_connections(engine, tls_hub, trusted, tmp_path, connections, reset, known):
    tls_hub.reset()
    row = tls_hub.add_direct("cut.bin", size_bytes=SIZE)
    tls_hub.fault("drop", file="cut.bin", after_bytes=333_333, reset=reset, fraction=0.5, times=8)
    facts = {"size_bytes": SIZE, "sha256": row["sha256"]} if known else {}
    await engine.fetch(job(resolved(row["url"], **facts), tmp_path / "cut.bin", connections=connections))
    assert sha256_of(tmp_path / "cut.bin") == row["sha256"]


async def test_untrusted_certificate_ends_it_at_the_first_try(tls_hub, tmp_path):
    tls_hub.reset()
    row = tls_hub.add_direct("untrusted.bin", size_bytes=1000)
    patient = replace(QUICK, retry_base_seconds=60.0, retry_max_seconds=60.0)  # a second try would come after the test
    with open_engine(patient) as engine, pytest.raises(CertificateError) as caught:
        await engine.fetch(job(resolved(row["url"]), tmp_path / "untrusted.bin"))
    assert "certificate" in caught.value.message
    assert "SSL_CERT_FILE" in (caught.value.hint or "")
    assert not caught.value.retryable
    assert not (tmp_path / "untrusted.bin").exists()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("connections", [1, 8])
async def test_name_that_does_not_resolve(tmp_path, connections, known):
    async def nothing(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    gate = EgressGate(AllowList.build(Settings(allow_hosts=("models.test",))), lookup=nothing)
    file = resolved("https://models.test/x.bin", **({"size_bytes": 1000, "sha256": "0" * 64} if known else {}))
    with open_engine(replace(QUICK, retry_limit=2), gate) as engine, pytest.raises(ConnectFailedError) as caught:
        await engine.fetch(job(file, tmp_path / "x.bin", connections=connections))
    assert "models.test" in caught.value.message
    assert not (tmp_path / "x.bin").exists()


async def test_name_that_resolves_again_after_a_while(hub, tmp_path):
    row = hub.add_direct("named.bin", size_bytes=100_000)
    asked = []

    async def flaky(host: str, port: int) -> list[str]:
        asked.append(host)
        if len(asked) < 3:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ["127.0.0.1"]

    gate = EgressGate(AllowList.build(Settings(allow_hosts=("models.test",))), lookup=flaky)
    with open_engine(gate=gate) as engine:
        url = row["url"].replace("127.0.0.1", "models.test")
        await engine.fetch(job(resolved(url), tmp_path / "named.bin"))
    assert sha256_of(tmp_path / "named.bin") == row["sha256"]


async def test_unlisted_host_is_not_asked(engine, tmp_path):
    with pytest.raises(EgressError):
        await engine.fetch(job(resolved("https://example.com/x.bin"), tmp_path / "x.bin"))


async def test_port_that_nobody_listens_on(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open_engine(replace(QUICK, retry_limit=2)) as engine, pytest.raises(ConnectFailedError):
        await engine.fetch(job(resolved(f"http://127.0.0.1:{port}/x.bin"), tmp_path / "x.bin"))


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Run a CONNECT proxy; gives its URL and what it was asked for."""
    asked: list[str] = []
    ends: list[socket.socket] = []
    pumps: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def serve(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        asked.append(head.split(b" ")[1].decode())
        _host, _, port = asked[-1].rpartition(":")
        far = socket.create_connection(("127.0.0.1", int(port)))
        ends.extend((client, far))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for way in ((client, far), (far, client)):
            pumps.append(threading.Thread(target=pump, args=way, daemon=True))
            pumps[-1].start()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.close()
        for thread in pumps:
            thread.join(5)
        for end in ends:
            end.close()


async def test_through_a_proxy(tls_hub, trusted, authority, tmp_path, monkeypatch):
    tls_hub.reset()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    monkeypatch.setattr("comfystow.core.net.pinning.ssl_context", lambda: context)
    row = tls_hub.add_direct("proxied.bin", size_bytes=SIZE)
    with proxy() as (url, asked):
        gate = EgressGate(AllowList.build(Settings(allow_hosts=("models.test",))), proxies=Proxies(url))
        port = row["url"].split(":")[2].split("/")[0]
        monkeypatch.setattr(context, "check_hostname", False)
        with open_engine(gate=gate) as engine:
            target = f"https://models.test:{port}/direct/proxied.bin"
            await engine.fetch(job(resolved(target, sha256=row["sha256"]), tmp_path / "proxied.bin", connections=4))
    assert sha256_of(tmp_path / "proxied.bin") == row["sha256"]
    assert asked
    assert set(asked) == {f"models.test:{port}"}


# Limits and adaptation


@pytest.mark.parametrize("where", ["engine", "job"])
async def test_bandwidth_limit(hub, tmp_path, where):
    row = hub.add_direct("limited.bin", size_bytes=3_000_000)
    limits = replace(QUICK, limit_rate_bytes_per_second=2_000_000) if where == "engine" else QUICK
    own = 2_000_000 if where == "job" else None
    with open_engine(limits) as engine:
        began = time.monotonic()
        work = job(resolved(row["url"]), tmp_path / "limited.bin", connections=4, limit_rate_bytes_per_second=own)
        await engine.fetch(work)
        assert time.monotonic() - began > 1.0
    assert sha256_of(tmp_path / "limited.bin") == row["sha256"]


async def test_limit_can_be_lifted_midway(hub, tmp_path):
    row = hub.add_direct("lifted.bin", size_bytes=3_000_000)
    with open_engine(replace(QUICK, limit_rate_bytes_per_second=100_000)) as engine:
        task = asyncio.create_task(engine.fetch(job(resolved(row["url"]), tmp_path / "lifted.bin", connections=2)))
        await asyncio.sleep(0.3)
        assert not task.done()
        engine.set_rate(None)
        await asyncio.wait_for(task, 20)
    assert sha256_of(tmp_path / "lifted.bin") == row["sha256"]


async def test_connections_of_all_downloads_stay_within_the_limits(hub, tmp_path):
    rows = [hub.add_direct(f"shared-{number}.bin", size_bytes=4_000_000) for number in range(6)]
    hub.fault("rate", origin="cdn", bytes_per_second=4_000_000)
    hub.clear_requests()
    with open_engine(replace(QUICK, connections_per_host=5, connections_total=5)) as engine:
        jobs = [job(resolved(row["url"]), tmp_path / f"{n}.bin", connections=8) for n, row in enumerate(rows)]
        await asyncio.gather(*map(engine.fetch, jobs))
    assert max(row["open"] for row in hub.gauge() if row["origin"] == "cdn") <= 5


def _slow_file(hub) -> dict[str, object]:
    row = hub.add_direct("adaptive.bin", size_bytes=60_000_000)
    hub.fault("rate", origin="cdn", bytes_per_second=2_000_000)
    return row


async def test_more_connections_are_used_where_they_help(engine, hub, tmp_path):
    seen: list[int] = []
    work = job(resolved(_slow_file(hub)["url"]), tmp_path / "adaptive.bin")
    await engine.fetch(work, on_progress=lambda progress: seen.append(progress.connections))
    assert max(seen) >= 14


async def test_no_more_connections_than_the_server_allows(engine, hub, tmp_path):
    """Counted where it matters: by the server, whose kernel still sends what it has long handed over."""
    row = _slow_file(hub)
    hub.fault("max_connections", origin="cdn", limit=4)
    hub.clear_requests()
    task = asyncio.create_task(engine.fetch(job(resolved(row["url"]), tmp_path / "adaptive.bin")))
    while not hub.requests(origin="cdn"):  # on a busy machine even the first one takes its time
        await asyncio.sleep(0.05)
    await asyncio.sleep(6)  # a piece takes 2 s here, and only at its end a connection too many is refused
    task.cancel()
    await asyncio.wait([task])
    active = [row["active"] for row in hub.gauge() if row["origin"] == "cdn"]
    late = sorted(active[len(active) // 2 :])
    assert late[len(late) // 2] <= 4
    refused = [request for request in hub.requests(origin="cdn") if request["status"] == 429]
    assert len(refused) <= 12  # a constant number of connections would be refused again and again


async def test_kept_connections_are_used_again(engine, hub, tmp_path):
    row = hub.add_direct("kept.bin", size_bytes=30_000_000)
    await engine.fetch(job(resolved(row["url"]), tmp_path / "kept.bin", connections=2))
    requests = hub.requests(origin="cdn")
    assert len(requests) > 4
    assert len({request["connection"] for request in requests}) <= 3


async def test_gate_is_asked_for_loopback_too(tmp_path, hub):
    row = hub.add_direct("gate.bin", size_bytes=1000)
    with open_engine(gate=loopback_gate("models.test")) as engine, pytest.raises(EgressError):
        await engine.fetch(job(resolved(row["url"]), tmp_path / "gate.bin"))


async def test_progress_ends_with_the_whole_size(engine, hub, tmp_path):
    row = hub.add_direct("progress.bin", size_bytes=SIZE)
    seen = []
    result = await engine.fetch(job(resolved(row["url"]), tmp_path / "progress.bin"), on_progress=seen.append)
    assert [progress.bytes_done for progress in seen] == sorted(progress.bytes_done for progress in seen)
    assert seen[-1].bytes_done == seen[-1].bytes_total == SIZE
    assert result.verified is Verified.SIZE
