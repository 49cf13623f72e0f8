"""The gate, judged with look-ups of its own and on real sockets."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from comfystow.core.config import load_settings
from comfystow.core.errors import ConfigError, ConnectFailedError, EgressError
from comfystow.core.net.client import HttpClient, HttpLimits
from comfystow.core.net.egress import EgressGate
from comfystow.core.net.hosts import AllowList
from comfystow.core.net.location import FIRST_BYTE, locate
from comfystow.core.net.proxies import Proxies
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wayout import place

PUBLIC = "18.238.4.10"


def gate(*allow: str, answers: dict[str, list[str]] | None = None, **options) -> EgressGate:
    async def lookup(host: str, port: int) -> list[str]:
        return (answers or {}).get(host, [PUBLIC])

    return EgressGate(AllowList.build(load_settings({}, allow_hosts=allow)), lookup=lookup, **options)


ALLOWED = [
    "https://huggingface.co/a/b/resolve/main/c.safetensors",
    "https://HuggingFace.CO/a",
    "https://huggingface.co./a",
    "https://huggingface.co:443/a",
    "https://hf.co/a/b",
    "https://cdn-lfs.hf.co/x",
    "https://cdn-lfs-us-1.huggingface.co/x",
    "https://us.aws.cdn.hf.co/x",
    "https://cas-bridge.xethub.hf.co/x",
    "https://civitai.com/api/v1/models/1",
    "https://civitai.red/models/1",
    "https://b2.civitai.com/file/x",
    "https://civitai-delivery-worker-prod.5ac0.r2.cloudflarestorage.com/x",
    "https://github.com/o/r/releases/download/v1/x.safetensors",
    "https://objects.githubusercontent.com/x",
    "https://release-assets.githubusercontent.com/x",
    "https://huggingface。co/a",  # the ideographic full stop is a dot to IDNA: the same host
]


@pytest.mark.parametrize("url", ALLOWED)
async def test_the_providers_and_their_storage_pass(url: str) -> None:
    endpoint = await gate().check(url)
    assert endpoint.addresses == (PUBLIC,)
    assert endpoint.port == 443
    assert endpoint.hostname == endpoint.hostname.lower().rstrip(".")


REFUSED = [
    "http://huggingface.co/a",  # plain http
    "ftp://huggingface.co/a",
    "file:///etc/passwd",
    "gopher://huggingface.co/",
    "//huggingface.co/a",
    "https://huggingface.co:8443/a",  # another port
    "https://huggingface.co:0/a",
    "https://huggingface.co:99999/a",
    "https://evil.com/a",
    "https://huggingface.co.evil.com/a",  # suffix
    "https://evilhuggingface.co/a",
    "https://evil-hf.co/a",
    "https://evilhf.co/a",
    "https://hf.co.evil.com/",
    "https://huggingface.co@evil.com/a",  # userinfo
    "https://evil.com@huggingface.co/a",
    "https://user:pass@huggingface.co/a",
    "https://huggingface.co%40evil.com/a",
    "https://huggingface.co\\@evil.com/a",
    "https://evil.com\\.huggingface.co/a",
    "https://huggingface.co\t.evil.com/",
    "https://huggingface.co\r\nHost: evil.com/",
    "https://huggingface.co /a",
    "https://huggingfасe.co/a",  # Cyrillic а
    "https://xn--huggingfce-g1h.co/",
    "https://huggingface.co#@evil.com\x00/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://localhost/",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal/",
    "https://hf.space/",
    "https://.hf.co/",
    "https://a..hf.co/",
    "https://github.io/",
    "https://gist.githubusercontent.com/x",
    "https://r2.cloudflarestorage.com.evil.com/",
    "https://",
    "https:huggingface.co",
    "huggingface.co/a",
    "",
]


@pytest.mark.parametrize("url", REFUSED)
async def test_nothing_else_passes(url: str) -> None:
    with pytest.raises(EgressError) as caught:
        await gate().check(url)
    assert caught.value.hint
    assert "pass" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize(
    "answer", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
)
async def test_a_provider_name_that_leads_inside_is_refused(answer: str) -> None:
    with pytest.raises(EgressError, match="no public address"):
        await gate(answers={"huggingface.co": [answer]}).check("https://huggingface.co/a")


async def test_only_the_public_ones_of_mixed_answers_are_connected_to() -> None:
    checked = await gate(answers={"hf.co": ["10.0.0.1", PUBLIC, "::1"]}).check("https://hf.co/a")
    assert checked.addresses == (PUBLIC,)


async def test_the_answer_that_was_checked_is_the_one_that_is_used() -> None:
    answers = itertools.chain([[PUBLIC]], itertools.repeat(["127.0.0.1"]))

    async def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    rebound = EgressGate(AllowList.build(load_settings({})), lookup=rebinding)
    assert (await rebound.check("https://hf.co/a")).addresses == (PUBLIC,)
    assert (await rebound.check("https://hf.co/b")).addresses == (PUBLIC,)


@pytest.mark.parametrize(
    ("entry", "url", "passes"),
    [
        ("models.example.com", "https://models.example.com/a", True),
        ("models.example.com", "https://models.example.com:8443/a", True),
        ("models.example.com", "https://sub.models.example.com/a", False),
        ("models.example.com:8443", "https://models.example.com:8443/a", True),
        ("models.example.com:8443", "https://models.example.com/a", False),
        ("*.example.com", "https://a.b.example.com/a", True),
        ("*.example.com", "https://example.com/a", False),
        ("*.example.com", "https://evilexample.com/a", False),
        ("models.example.com", "http://models.example.com/a", False),  # public: never plain
        ("nas.lan", "http://nas.lan:9000/a", True),
        ("nas.lan", "https://nas.lan/a", True),
        ("10.0.0.5:9000", "http://10.0.0.5:9000/a", True),
        ("10.0.0.5:9000", "http://10.0.0.5:9001/a", False),
        ("10.0.0.0/8", "http://10.200.0.5/a", True),
        ("10.0.0.0/8", "http://nas.lan/a", True),
        ("10.0.0.0/8", "https://models.example.com/a", False),
        ("10.0.0.0/8", "http://192.168.0.1/a", False),
        ("127.0.0.0/8", "http://127.0.0.1:8188/a", True),
        ("127.0.0.0/8", "http://127.1/a", False),
        ("[fd12::1]:80", "http://[fd12::1]/a", True),
        ("0.0.0.0/0", "http://169.254.169.254/latest/meta-data/", False),
        ("169.254.169.254", "http://169.254.169.254/latest/meta-data/", False),
        ("::/0", "http://[fd00:ec2::254]/latest", False),
        ("0.0.0.0/0", "http://metadata.lan/", False),
    ],
)
async def test_the_user_adds_hosts_ports_and_networks(entry: str, url: str, passes: bool) -> None:
    judge = gate(entry, answers={"nas.lan": ["10.0.0.7"], "metadata.lan": ["169.254.169.254"]})
    if passes:
        assert (await judge.check(url)).addresses
        return
    with pytest.raises(EgressError):
        await judge.check(url)


@pytest.mark.parametrize("entry", ["", "a b", "http://x", "host:99999", "10.0.0.0/99", "user@host", "1.2.3", "*.*"])
def test_an_entry_that_is_neither_host_nor_network_is_told(entry: str) -> None:
    with pytest.raises(ConfigError, match="COMFYSTOW_ALLOW_HOSTS"):
        AllowList.build(load_settings({}, allow_hosts=(entry,)))


async def test_a_name_that_does_not_resolve_is_no_refusal() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(ConnectFailedError, match=r"hf\.co.*not known"):
        await EgressGate(AllowList.build(load_settings({})), lookup=nothing).check("https://hf.co/a")


async def test_a_resolver_that_hangs_is_given_up() -> None:
    async def hanging(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    judge = EgressGate(AllowList.build(load_settings({})), lookup=hanging, timeout_seconds=0.01)
    with pytest.raises(ConnectFailedError, match="in time"):
        await judge.check("https://hf.co/a")


async def test_behind_a_proxy_hosts_are_still_judged_and_private_ones_go_direct() -> None:
    proxies = Proxies.from_environment({"HTTPS_PROXY": "http://proxy.lan:3128", "NO_PROXY": "civitai.com, .github.com"})
    judge = gate("10.0.0.5", proxies=proxies)
    assert (await judge.check("https://hf.co/a")).proxy_url == "http://proxy.lan:3128"
    assert (await judge.check("https://civitai.com/a")).proxy_url is None
    assert (await judge.check("https://github.com/a")).proxy_url is None
    assert (await judge.check("http://10.0.0.5/a")).proxy_url is None
    for url in ("https://evil.com/a", "https://169.254.169.254/", "https://hf.co:8443/"):
        with pytest.raises(EgressError):
            await judge.check(url)


@settings(deadline=None)  # an event loop of its own for each text: on a loaded machine that takes its time
@given(st.text(max_size=60))
def test_no_text_breaks_the_gate(text: str) -> None:
    async def judge() -> None:
        for url in (text, f"https://{text}", f"https://huggingface.co{text}", f"https://{text}.hf.co/"):
            try:
                endpoint = await gate().check(url)
            except EgressError:
                continue
            # The text itself may spell a provider (`CIVITAI.COM` does), and nothing else may pass.
            assert AllowList.build(load_settings({})).is_provider(endpoint.hostname, endpoint.port)
            assert endpoint.port == 443

    asyncio.run(judge())


# Real sockets


class Listener:
    """Counts connections to a loopback port."""

    def __init__(self) -> None:
        self.connections = 0

    async def __aenter__(self) -> Listener:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            await reader.readline()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
            writer.close()

        self._server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        await self._server.wait_closed()


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://127.1:{port}/",
     "http://2130706433:{port}/", "https://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "http://0.0.0.0:{port}/"],
)  # fmt: skip
async def test_a_redirect_inside_makes_no_connection(hub, way, target: str) -> None:
    async with Listener() as inside:
        hub.fault("redirect", origin="hf", path="*/resolve/*", location=target.format(port=inside.port), status=302)
        with pytest.raises(EgressError):
            await locate(
                way.client, f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors", span=FIRST_BYTE
            )
        assert inside.connections == 0


async def test_a_redirect_to_a_metadata_service_is_refused(hub, way) -> None:
    hub.fault("redirect_private", origin="hf", path="*/resolve/*")
    with pytest.raises(EgressError, match=r"169\.254\.169\.254"):
        await locate(way.client, f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors", span=FIRST_BYTE)


async def test_the_connection_goes_to_the_checked_address_and_names_the_host() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = HttpClient(HttpLimits(), gate("nas.lan", answers={"nas.lan": ["127.0.0.1"]}))
    try:
        reply = await client.request("GET", f"http://nas.lan:{port}/a%2Fb?x=1%2B")
    finally:
        await client.close()
        server.close()
    assert reply.body == b"ok"
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "GET /a%2Fb?x=1%2B HTTP/1.1"
    assert f"Host: nas.lan:{port}" in lines
    assert "Accept-Encoding: identity" in lines
    assert any(line.startswith("User-Agent: comfystow/") for line in lines)


async def test_the_hub_port_that_is_not_listed_is_not_reached(hub) -> None:
    client = HttpClient(HttpLimits(), gate(place(hub.hf_url)))
    hub.clear_requests()
    try:
        with pytest.raises(EgressError):
            await locate(client, f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors", span=FIRST_BYTE)
    finally:
        await client.close()
    assert hub.requests(origin="cdn") == []
