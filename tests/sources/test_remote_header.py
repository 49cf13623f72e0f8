"""Headers of remote files: what is learnt, and how few bytes it takes."""

from __future__ import annotations

import json
import struct

import pytest
from comfystow.core.errors import AuthRequiredError, HeaderError, NotAModelError
from comfystow.core.sources.remote_header import FIRST_READ_BYTES, read_remote_header
from support.wayout import WayOut


async def header(way: WayOut, text: str, credentials=None):
    file = await way.sources.resolve(way.sources.parse(text), credentials or way.nobody)
    return await read_remote_header(way.client, file, credentials)


async def test_a_long_header_takes_two_ranged_requests(hub, way) -> None:
    entries = {
        f"blocks.{n}.weight": {"dtype": "F16", "shape": [4], "data_offsets": [8 * n, 8 * n + 8]} for n in range(3000)
    }
    body = json.dumps(entries).encode()
    data = struct.pack("<Q", len(body)) + body + b"\0" * 24_000
    hub.add_file("me/repo", "long.safetensors", data=data)
    found = await header(way, "hf://me/repo/long.safetensors")
    assert found.data_start > FIRST_READ_BYTES
    assert len(found.tensors) == 3000
    assert found.expected_size_bytes == len(data)
    assert [row["method"] for row in hub.requests(origin="hf")] == ["HEAD", "GET"]
    assert len(hub.requests(origin="cdn")) == 2
    assert hub.bytes_sent("me/repo/long.safetensors") == found.data_start


async def test_a_short_header_takes_one(hub, way) -> None:
    hub.clear_requests()
    found = await header(way, "civitai://1006")
    assert found.data_start < FIRST_READ_BYTES
    assert len([row for row in hub.requests(origin="cdn") if row["bytes_sent"] > 1]) == 1


async def test_a_gguf_is_read_from_its_beginning(way) -> None:
    found = await header(way, "hf://Comfy-Stow/gguf-demo/stow-flux-F16.gguf")
    assert found.format == "gguf"
    assert found.metadata["general.architecture"] == "flux"
    assert found.tensors


async def test_a_gguf_with_a_long_vocabulary_is_read_on(hub, way) -> None:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    words = b"".join(text(f"word{number:06d}") for number in range(150_000))
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + text("general.architecture") + struct.pack("<I", 8) + text("llama")
    data += text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 150_000) + words
    url = hub.add_direct("vocabulary.gguf", data=data + b"\0" * (1 << 20))["url"]
    hub.clear_requests()
    found = await header(way, url)
    assert found.metadata["general.architecture"] == "llama"
    assert hub.bytes_sent("direct/vocabulary.gguf") < len(data) * 2.1


async def test_a_gated_files_header_needs_the_token(hub, way) -> None:
    file = await way.sources.resolve(way.sources.parse("hf://Comfy-Stow/gated-demo/stow_gated.safetensors"), way.member)
    assert (await read_remote_header(way.client, file, way.member)).tensors
    with pytest.raises(AuthRequiredError):
        await read_remote_header(way.client, file, way.nobody)


async def test_pages_pickles_and_damage_are_told(hub, way) -> None:
    with pytest.raises(HeaderError, match="neither safetensors nor GGUF"):
        await header(way, "civitai://1001@2001?file=3003")
    lying = struct.pack("<Q", 90_000_000) + b"{" + b" " * 5000
    with pytest.raises(HeaderError):
        await header(way, hub.add_direct("lying.safetensors", data=lying)["url"])
    body = json.dumps({"a": {"dtype": "F16", "shape": [4], "data_offsets": [0, 9]}}).encode()
    with pytest.raises(HeaderError):
        await header(way, hub.add_direct("bad.safetensors", data=struct.pack("<Q", len(body)) + body)["url"])
    file = await way.sources.resolve(way.sources.parse("civitai://1006"), way.nobody)
    hub.fault("html_login", origin="cdn", path="*")
    with pytest.raises(NotAModelError):
        await read_remote_header(way.client, file, way.nobody)
