"""File names that servers suggest."""

from __future__ import annotations

import pytest
from comfystow.core.net.disposition import suggested_name
from comfystow.core.paths import safe_component
from hypothesis import given
from hypothesis import strategies as st

URL = "https://host/dir/from%20url.safetensors?x=1"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", "from url.safetensors"),
        ("attachment", "from url.safetensors"),
        ('attachment; filename="a b.safetensors"', "a b.safetensors"),
        ("attachment; filename=a.safetensors", "a.safetensors"),
        ("ATTACHMENT; FILENAME=a.safetensors; size=3", "a.safetensors"),
        ("attachment; filename=\"x.bin\"; filename*=UTF-8''%D0%BD.safetensors", "н.safetensors"),
        ("attachment; filename*=utf-8'en'a%20b.gguf", "a b.gguf"),
        ("attachment; filename*=ISO-8859-1''%E9.gguf", "é.gguf"),
        ('attachment; filename="quo\\"ted.gguf"', "from url.safetensors"),  # a quote is no file name on Windows
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\Users\\\\x\\\\m.gguf"', "m.gguf"),
        ('attachment; filename="/abs/m.gguf"', "m.gguf"),
        ('attachment; filename=".."', "from url.safetensors"),
        ('attachment; filename="CON.gguf"', "from url.safetensors"),
        ('attachment; filename="a\x01b.gguf"', "from url.safetensors"),
        ("attachment; filename*=UTF-8''%2e%2e%2fx.gguf", "x.gguf"),
        ("attachment; filename*=UTF-8''a%00b.gguf", "from url.safetensors"),
        ('attachment; filename="' + "x" * 5000 + '.gguf"', "from url.safetensors"),
        ('attachment; filename="\u00d0\u00bd.gguf"', "н.gguf"),  # raw UTF-8, read as Latin-1
    ],
)
def test_the_header_gives_the_name_and_it_is_safe(header: str, name: str) -> None:
    assert suggested_name({"Content-Disposition": header}, URL) == name


@pytest.mark.parametrize("url", ["https://host/", "https://host", "https://host/a/..", "https://host/%2e%2e"])
def test_without_any_name_there_is_none(url: str) -> None:
    assert suggested_name({}, url) is None


@given(st.text(), st.text())
def test_whatever_comes_the_name_is_safe(header: str, path: str) -> None:
    name = suggested_name({"Content-Disposition": header}, f"https://host/{path}")
    assert name is None or safe_component(name) == name
