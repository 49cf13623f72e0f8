"""Headers: true ones are read, hostile ones are refused, and nothing else happens."""

from __future__ import annotations

import contextlib
import json
import struct

import numpy as np
import pytest
from comfystow.core.errors import HeaderError
from comfystow.core.headers.gguf import parse_gguf
from comfystow.core.headers.safetensors import parse_safetensors
from comfystow.core.headers.sniff import Content, sniff
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save


def reader(data: bytes):
    return lambda offset, size: data[offset : offset + size]


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_what_the_library_writes_is_read():
    data = save({"a": np.zeros((2, 3), np.float16), "b": np.ones(5, np.int64)}, {"format": "pt"})
    header = parse_safetensors(reader(data), len(data))
    assert header.expected_size_bytes == len(data)
    assert header.metadata == {"format": "pt"}
    assert {name: (t.dtype, t.shape) for name, t in header.tensors.items()} == {
        "a": ("F16", (2, 3)),
        "b": ("I64", (5,)),
    }
    assert header.fits(len(data)) is True
    assert header.fits(len(data) - 1) is False


TENSOR = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 100) + b"{}",
        safetensors(b"[]"),
        safetensors(b"{"),
        safetensors(b'{"a":NaN}'),
        safetensors(b'{"a":' + b"[" * 100_000),
        safetensors(b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":1}', b"1234"),
        safetensors({"a": TENSOR, "b": TENSOR}, b"1234"),
        safetensors({"a": TENSOR | {"data_offsets": [1, 5]}}, b"12345"),
        safetensors({"a": TENSOR | {"data_offsets": [4, 0]}}, b"1234"),
        safetensors({"a": TENSOR | {"data_offsets": [-4, 0]}}, b"1234"),
        safetensors({"a": TENSOR | {"shape": [5]}}, b"1234"),
        safetensors({"a": TENSOR | {"shape": [-2, -2]}}, b"1234"),
        safetensors({"a": TENSOR | {"shape": [1 << 62, 1 << 62]}}, b"1234"),
        safetensors({"a": {"dtype": "U8"}}, b"1234"),
        safetensors({"__metadata__": {"a": 1}}),
        safetensors(b'{"\xff": 1}'),
    ],
)
def test_hostile_safetensors_is_refused(data):
    with pytest.raises(HeaderError):
        parse_safetensors(reader(data), len(data))


def entries(count: int) -> dict[str, object]:
    return {f"b.{n}.w": {"dtype": "U8", "shape": [2], "data_offsets": [2 * n, 2 * n + 2]} for n in range(count)}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" , ", " : "), (",\n", ":\t")])
@pytest.mark.parametrize("place", ["first", "last", "none"])
def test_every_way_of_writing_json_is_read(separators, place):
    told = {"__metadata__": {"a": 'quote " and \\ and é'}} if place != "none" else {}
    header = told | entries(9) if place == "first" else entries(9) | told
    data = safetensors(json.dumps(header, separators=separators).encode() + b"   ", b"\0" * 18)
    found = parse_safetensors(reader(data), len(data))
    assert list(found.tensors) == [f"b.{n}.w" for n in range(9)]
    assert found.metadata == told.get("__metadata__", {})
    assert found.fits(len(data)) is True


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" , ", " : ")])
def test_entries_in_any_order_with_the_metadata_among_them_are_read(separators):
    """The library sorts by type and name, others by name alone; a file is not damaged for that."""
    plain = list(entries(3000).items())
    shuffled = [*plain[1::3], ("__metadata__", {"a": "b"}), *plain[2::3], *plain[0::3]]
    data = safetensors(json.dumps(dict(shuffled), separators=separators).encode(), b"\0" * 6000)
    found = parse_safetensors(reader(data), len(data))
    assert list(found.tensors) == [name for name, _ in shuffled if name != "__metadata__"]
    assert (found.metadata, found.fits(len(data))) == ({"a": "b"}, True)
    without_one = safetensors(json.dumps(dict(shuffled[:-3]), separators=separators).encode())
    with pytest.raises(HeaderError, match="overlap or leave holes"):
        parse_safetensors(reader(without_one), 1 << 20)


def test_an_entry_of_another_form_is_read_among_others():
    odd = b'"\\u00e9":{"shape":[2],"dtype":"U8","data_offsets":[2,4]}'
    last = b'{"b.0.w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},' + odd + b"}"
    assert list(parse_safetensors(reader(safetensors(last)), 1 << 20).tensors) == ["b.0.w", "é"]
    amid = (
        last[:-1]
        + b',"c":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"d":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}}'
    )
    assert list(parse_safetensors(reader(safetensors(amid)), 1 << 20).tensors) == ["b.0.w", "é", "c", "d"]


BETWEEN = json.dumps(entries(6), separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "bad",
    [
        BETWEEN.replace(b',"b.3', b',junk,"b.3'),
        BETWEEN.replace(b',"b.3', b'}"b.3'),
        BETWEEN.replace(b"b.3.w", b"b.1.w"),
        BETWEEN.replace(b"b.5.w", b"b.1.w"),
        BETWEEN.replace(b"b.3.w", b"b.\\u0031.w"),
        BETWEEN.replace(b"[6,8]", b'[6,8],"x":[[]]'),
        BETWEEN.replace(b"[6,8]", b"[6.0,8]"),
        BETWEEN.replace(b"[6,8]", b"[6,7]"),
        BETWEEN.replace(b"[6,8]", b"[7,9]"),
        BETWEEN.replace(
            b'"dtype":"U8","shape":[2],"data_offsets":[6,8]',
            b'"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[6,8]',
        ),
        BETWEEN.replace(b"b.3.w", b"b.\\ud800.w"),
        BETWEEN[:-1] + b",}",
        BETWEEN[:-1],
        BETWEEN + b"}",
        BETWEEN[:-1] + b',"__metadata__":{},"__metadata__":{}}',
        BETWEEN[:-1] + b',"__metadata__":{"a":"1","a":"2"}}',
        BETWEEN[:-1] + b',"__metadata__":{"a":{"b":"2"}}}',
        b'{"__metadata__":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
    ],
)
def test_damage_between_good_entries_is_seen(bad):
    assert bad != BETWEEN
    data = safetensors(bad, b"\0" * 12)
    with pytest.raises(HeaderError):
        parse_safetensors(reader(data), len(data))


@pytest.mark.long
@pytest.mark.parametrize("shape", [[2], []])
def test_a_header_of_100_mb_stays_within_ten_times_its_size(shape):
    import tracemalloc

    one = '"{}":{{"dtype":"U8","shape":' + json.dumps(shape) + ',"data_offsets":[{},{}]}}'
    size = 2 if shape else 1
    count = 99_000_000 // (len(one) + 12)
    text = ("{" + ",".join(one.format(n, n * size, n * size + size) for n in range(count)) + "}").encode()
    assert 80_000_000 < len(text) <= 100_000_000
    data = struct.pack("<Q", len(text)) + text
    tracemalloc.start()
    try:
        found = parse_safetensors(reader(data), 1 << 40)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.tensors) == count
    assert peak < 10 * len(text)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(
    tensors: list[tuple[str, list[int], int, int]], version: int = 3, entries: bytes = b"", count: int = 0
) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), count) + entries
    for name, shape, kind, offset in tensors:
        head += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in shape)
        head += struct.pack("<IQ", kind, offset)
    return head.ljust(-(-len(head) // 32) * 32, b"\0")


def test_gguf_is_read():
    entries = text("general.architecture") + struct.pack("<I", 8) + text("flux")
    entries += text("tokens") + struct.pack("<IIQ", 9, 8, 70) + text("x") * 70
    data = gguf([("a", [32, 2], 8, 0), ("b", [10], 0, 96)], entries=entries, count=2)
    header = parse_gguf(reader(data), len(data) + 136)
    assert header.metadata == {"general.architecture": "flux", "tokens": None}
    assert header.tensors["a"].dtype == "Q8_0"
    assert header.expected_size_bytes == header.data_start + 96 + 40
    assert header.fits(header.data_start + 136) is True
    assert header.fits(header.data_start + 160) is True
    assert header.fits(header.data_start + 135) is False


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF",
        gguf([], version=1),
        gguf([], version=0x03000000),
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 40, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 62),
        gguf([], entries=text("k") + struct.pack("<I", 99), count=1),
        gguf([("a", [31], 8, 0)]),
        gguf([("a", [32], 8, 0), ("a", [32], 8, 64)]),
    ],
)
def test_hostile_gguf_is_refused(data):
    with pytest.raises(HeaderError):
        parse_gguf(reader(data), len(data))


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parsers(data):
    for parse, start in ((parse_safetensors, b""), (parse_gguf, b"GGUF\x03\0\0\0")):
        with contextlib.suppress(HeaderError):
            parse(reader(start + data), len(start + data))


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"<!DOCTYPE html><html>", Content.HTML),
        (b"\n <html lang=en>", Content.HTML),
        (b"\xef\xbb\xbf<!-- x --><!doctype HTML>", Content.HTML),
        (b'<?xml version="1.0"?><Error>', Content.XML),
        (b"<Error><Code>AccessDenied", Content.XML),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", Content.LFS_POINTER),
        (b"PK\x03\x04rest", Content.ZIP_PICKLE),
        (b"\x80\x02}q\x00", Content.PICKLE),
        (b"GGUF\x03\0\0\0", Content.GGUF),
        (safetensors({"a": TENSOR}), Content.SAFETENSORS),
        (b"", Content.UNKNOWN),
        (b"hello", Content.UNKNOWN),
    ],
)
def test_sniffing(data, content):
    assert sniff(data) is content
