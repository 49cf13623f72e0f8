"""Requests, walks and ranged reads over real sockets, with the hub's faults."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from comfystow.core.config import load_settings
from comfystow.core.errors import (
    AuthRequiredError,
    CertificateError,
    ConnectFailedError,
    GoneError,
    NotFoundError,
    RangeRefusedError,
    RateLimitedError,
    ServerError,
    SourceError,
    StalledError,
    StowError,
    TruncatedBodyError,
)
from comfystow.core.net.answers import retry_after_seconds
from comfystow.core.net.client import HttpClient, HttpLimits
from comfystow.core.net.credentials import Credentials
from comfystow.core.net.egress import EgressGate
from comfystow.core.net.hosts import AllowList
from comfystow.core.net.location import FIRST_BYTE, get_json, locate
from comfystow.core.net.proxies import Proxies
from comfystow.core.net.ranged import read_range
from support.wayout import way_out

DATA = bytes(range(256)) * 400


@pytest.fixture
def url(hub) -> str:
    return hub.add_direct("plain.safetensors", data=DATA)["url"]


async def test_a_walk_ends_where_the_bytes_are(hub, way) -> None:
    found = await locate(
        way.client, f"{hub.hf_url}/Comfy-Stow/taesd-old-name/resolve/main/taesd.safetensors", span=FIRST_BYTE
    )
    assert [hop.status for hop in found.hops] == [307, 302]
    assert found.url.startswith(hub.cdn_url)
    assert (found.status, found.size_bytes, found.accepts_ranges) == (206, 4903146, True)
    assert found.filename == "taesd.safetensors"
    assert found.header("X-Repo-Commit") is not None
    assert found.etag is not None


async def test_a_server_without_ranges_is_seen_and_its_size_too(hub, way, url: str) -> None:
    hub.fault("ignore_range")
    found = await locate(way.client, url, span=FIRST_BYTE)
    assert (found.status, found.size_bytes, found.accepts_ranges) == (200, len(DATA), False)


async def test_an_unknown_length_is_none(hub, way, url: str) -> None:
    hub.fault("no_length")
    hub.fault("ignore_range")
    found = await locate(way.client, url, span=FIRST_BYTE)
    assert found.size_bytes is None


async def test_the_length_of_a_compressed_body_is_not_the_files(hub, way, url: str) -> None:
    hub.fault("gzip")
    found = await locate(way.client, url, span=FIRST_BYTE)
    assert found.size_bytes != len(gzip.compress(DATA))
    assert not found.accepts_ranges


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, SourceError), (401, AuthRequiredError), (403, SourceError), (404, NotFoundError), (410, GoneError),
     (429, RateLimitedError), (500, ServerError), (502, ServerError), (503, ServerError), (504, ServerError)],
)  # fmt: skip
async def test_each_refusal_is_its_own_error(hub, way, url: str, status: int, error: type[StowError]) -> None:
    hub.fault("status", path="/direct/*", status=status, retry_after=7)
    with pytest.raises(error) as caught:
        await locate(way.client, f"{url}?token=secret123", span=FIRST_BYTE)
    assert str(status) in str(caught.value)
    assert "secret123" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint
    assert caught.value.retryable == (status in {429, 500, 502, 503, 504})
    if caught.value.retryable:
        assert caught.value.retry_after_seconds == 7


async def test_a_rate_limit_says_how_long_by_the_hubs_own_headers(hub, way) -> None:
    hub.fault("rate_limit", origin="hf", path="*", retry_after=42, methods=["GET", "HEAD"])
    with pytest.raises(RateLimitedError) as caught:
        await way.sources.resolve(way.sources.parse("hf://Comfy-Stow/taesd-demo/taesd.safetensors"), way.member)
    assert caught.value.retry_after_seconds == 42


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"Retry-After": "5"}, 5.0), ({"Retry-After": "-5"}, 0.0), ({"Retry-After": "1e12"}, 3600.0),
     ({"Retry-After": "nan"}, None), ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
     ({"Retry-After": "soon"}, None), ({"RateLimit": '"api";r=0;t=55'}, 55.0),
     ({"RateLimit": '"api";r=4;t=55'}, None), ({"RateLimit": "garbage"}, None)],
)  # fmt: skip
def test_a_pause_is_read_and_bounded(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


async def test_a_redirect_loop_ends(hub, way, url: str) -> None:
    hub.fault("redirect_loop", origin="cdn", path="/direct/*")
    hub.clear_requests()
    with pytest.raises(ServerError, match="redirects more than 10 times"):
        await locate(way.client, url, span=FIRST_BYTE)
    assert len(hub.requests(origin="cdn")) == 11


@pytest.mark.parametrize(
    ("fault", "parameters", "error"),
    [("no_reply", {}, ServerError), ("no_reply", {"reset": True}, ServerError), ("stall", {"after_bytes": 0}, StalledError),
     ("delay", {"seconds": 30}, StalledError), ("huge_header", {"bytes": 200_000}, ServerError)],
)  # fmt: skip
async def test_a_server_that_fails_is_told_and_not_waited_for(hub, url, fault, parameters, error) -> None:
    async with way_out(hub, response_timeout_seconds=0.5, stall_timeout_seconds=0.5) as way:
        hub.fault(fault, origin="cdn", path="/direct/*", **parameters)
        with pytest.raises(error):
            await locate(way.client, url, span=FIRST_BYTE)


async def test_a_refused_connection_is_told(way, hub) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with way_out(hub, allow=(f"127.0.0.1:{port}",)) as reaching:
        with pytest.raises(ConnectFailedError, match="cannot connect"):
            await locate(reaching.client, f"http://127.0.0.1:{port}/x", span=FIRST_BYTE)


async def test_a_certificate_that_nobody_vouches_for_is_refused(hub, tmp_path) -> None:
    import ssl

    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        async with way_out(hub, allow=(f"127.0.0.1:{port}",)) as way:
            with pytest.raises(CertificateError, match="certificate"):
                await locate(way.client, f"https://127.0.0.1:{port}/x", span=FIRST_BYTE)
    finally:
        server.close()


async def test_a_proxy_is_asked_for_the_name_and_nobody_resolves_it_here() -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def nobody(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://me:hunter2@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    proxies = Proxies.from_environment({"HTTPS_PROXY": url})
    settings = load_settings({})
    client = HttpClient(HttpLimits(), EgressGate(AllowList.build(settings), proxies=proxies, lookup=nobody))
    tokens = Credentials(settings=settings, environment={"HF_TOKEN": "hf_secretsecret"})
    try:
        with pytest.raises(ConnectFailedError, match="proxy") as caught:
            await locate(client, "https://huggingface.co/o/r/resolve/main/x", credentials=tokens, span=FIRST_BYTE)
    finally:
        await client.close()
        server.close()
    assert asked[0].startswith(b"CONNECT huggingface.co:443 ")
    assert b"hf_secretsecret" not in asked[0]
    assert "hunter2" not in f"{caught.value!r} {caught.value.hint}"


async def test_a_body_above_its_bound_is_not_taken_in(hub, way, url: str) -> None:
    with pytest.raises(ServerError, match="more than 1000 bytes"):
        await way.client.request("GET", url, max_body_bytes=1000)


async def test_what_is_no_json_is_told(hub, way, url: str) -> None:
    with pytest.raises(ServerError, match="no JSON"):
        await get_json(way.client, url)
    deep = hub.add_direct("deep.json", data=b"[" * 200_000)["url"]
    with pytest.raises(ServerError, match="no JSON"):
        await get_json(way.client, deep)


async def test_a_request_follows_no_redirect(hub, way) -> None:
    reply = await way.client.request("GET", f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors")
    assert reply.status == 302
    assert hub.requests(origin="cdn") == []


async def test_one_client_serves_two_loops(hub, way, url: str) -> None:
    def elsewhere() -> int | None:
        async def ask() -> int | None:
            try:
                return (await locate(way.client, url, span=FIRST_BYTE)).size_bytes
            finally:
                await way.client.close()

        return asyncio.run(ask())

    here = (await locate(way.client, url, span=FIRST_BYTE)).size_bytes
    assert (
        here
        == await asyncio.to_thread(elsewhere)
        == (await locate(way.client, url, span=FIRST_BYTE)).size_bytes
        == len(DATA)
    )


# Ranged reads


@pytest.mark.parametrize(("start", "stop"), [(0, 8), (8, 300), (len(DATA) - 5, len(DATA)), (0, len(DATA))])
async def test_a_range_gives_those_bytes_and_no_more(hub, way, url: str, start: int, stop: int) -> None:
    assert await read_range(way.client, url, start, stop) == DATA[start:stop]
    assert hub.bytes_sent("direct/plain.safetensors") == stop - start


async def test_a_range_over_the_end_stops_there(way, url: str) -> None:
    assert await read_range(way.client, url, len(DATA) - 5, len(DATA) + 50) == DATA[-5:]


async def test_a_server_that_ignores_ranges_serves_beginnings_only(hub, way, url: str) -> None:
    hub.fault("ignore_range")
    assert await read_range(way.client, url, 0, 8) == DATA[:8]
    with pytest.raises(RangeRefusedError):
        await read_range(way.client, url, 8, 16)


@pytest.mark.parametrize(
    ("fault", "parameters"),
    [("content_range", {"start_shift": 1}), ("short_body", {"missing_bytes": 3, "declared": "short"}),
     ("short_body", {"missing_bytes": 3, "declared": "full"}), ("drop", {"after_bytes": 3})],
)  # fmt: skip
async def test_another_range_than_asked_for_is_refused(hub, way, url: str, fault: str, parameters: dict) -> None:
    hub.fault(fault, path="/direct/*", **parameters)
    with pytest.raises((RangeRefusedError, TruncatedBodyError, ServerError)):
        await read_range(way.client, url, 8, 300)


@pytest.mark.parametrize(("start", "stop"), [(5, 5), (-1, 5), (6, 5), (0, 1 << 40)])
async def test_a_range_is_small_and_forward(way, url: str, start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="range"):
        await read_range(way.client, url, start, stop)


def test_importing_the_layer_costs_no_asyncio_or_aiohttp() -> None:
    """The command line imports these modules; asyncio alone takes 0.1 s to import."""
    import subprocess
    import sys
    from pathlib import Path

    code = (
        "import sys, importlib.util as u\n"
        "spec = u.spec_from_file_location('comfystow', sys.argv[1] + '/__init__.py',"
        " submodule_search_locations=[sys.argv[1]])\n"
        "module = u.module_from_spec(spec); sys.modules['comfystow'] = module; spec.loader.exec_module(module)\n"
        "import comfystow.core.net.client, comfystow.core.net.egress, comfystow.core.net.credentials\n"
        "import comfystow.core.sources.resolve, comfystow.core.sources.reference, comfystow.core.sources.catalogue\n"
        "print([name for name in ('asyncio', 'aiohttp', 'huggingface_hub', 'ssl', 'obstore') if name in sys.modules])\n"
    )
    checkout = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(checkout)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
