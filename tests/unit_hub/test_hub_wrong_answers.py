"""Faults of what is answered: ranges, bodies, headers, redirects; seen on a raw socket."""

from __future__ import annotations

import gzip
import urllib.parse

import pytest
from hub.server import Hub
from support.raw_http import CONTENT, SIZE, get, unchunked


def test_ignored_range_gives_the_whole_file_with_200(hub: Hub, url: str) -> None:
    hub.fault("ignore_range")
    seen = get(url, "Range: bytes=100-199")
    assert (seen.status, seen.body) == (200, CONTENT)
    assert "content-range" not in seen.headers


def test_wrong_content_range_over_the_right_bytes(hub: Hub, url: str) -> None:
    hub.fault("content_range", start_shift=50, total_shift=7)
    seen = get(url, "Range: bytes=100-199")
    assert (seen.status, seen.body) == (206, CONTENT[100:200])
    assert seen.headers["content-range"] == f"bytes 150-249/{SIZE + 7}"


def test_wrong_body_under_right_headers(hub: Hub, url: str) -> None:
    hub.fault("wrong_body", times=1)
    seen = get(url, "Range: bytes=100-199")
    assert (seen.status, seen.headers["content-range"]) == (206, f"bytes 100-199/{SIZE}")
    assert len(seen.body) == 100
    assert seen.body != CONTENT[100:200]
    hub.fault("wrong_body", shift=16, times=1)
    assert get(url, "Range: bytes=100-199").body == CONTENT[116:216]


def test_wrong_body_can_leave_the_safetensors_header_alone(hub: Hub) -> None:
    url = hub.add_direct("model.safetensors", size_bytes=1 << 20)["url"]
    right = get(url).body
    hub.fault("wrong_body", keep_header=True)
    wrong = get(url).body
    header = 8 + int.from_bytes(right[:8], "little")
    assert wrong[:header] == right[:header]
    assert all(a != b for a, b in zip(wrong[header:], right[header:], strict=True))


def test_short_body_told_and_not_told(hub: Hub, url: str) -> None:
    hub.fault("short_body", missing_bytes=100, times=1)
    seen = get(url)
    assert (seen.headers["content-length"], seen.end, len(seen.body)) == (str(SIZE), "closed", SIZE - 100)
    hub.fault("short_body", missing_bytes=100, declared="short", times=1)
    seen = get(url)
    assert (seen.headers["content-length"], seen.end, len(seen.body)) == (str(SIZE - 100), "whole", SIZE - 100)


def test_content_changes_after_some_requests_with_its_etag(hub: Hub, url: str) -> None:
    hub.fault("change", after_requests=1, resize=5)
    before, after = get(url), get(url)
    assert before.body == CONTENT
    assert len(after.body) == SIZE + 5
    assert after.body[:SIZE] != CONTENT
    assert after.headers["etag"] != before.headers["etag"]
    guarded = get(url, "Range: bytes=10-19", f"If-Range: {before.headers['etag']}")
    assert guarded.status == 200
    assert get(url, "Range: bytes=10-19", f"If-Range: {after.headers['etag']}").body == after.body[10:20]


def test_content_can_change_behind_the_same_etag(hub: Hub, url: str) -> None:
    before = get(url)
    hub.fault("change", etag=False)
    after = get(url)
    assert after.headers["etag"] == before.headers["etag"]
    assert after.body != before.body


def test_expired_link_is_a_403_in_xml(hub: Hub, url: str) -> None:
    hub.fault("expired", skip=1)
    assert get(url).status == 200
    seen = get(url)
    assert (seen.status, seen.headers["content-type"]) == (403, "application/xml")
    assert b"<Code>AccessDenied</Code>" in seen.body


def test_gzip_hides_length_and_content(hub: Hub, url: str) -> None:
    hub.fault("gzip")
    seen = get(url)
    assert seen.headers["content-encoding"] == "gzip"
    assert "content-length" not in seen.headers
    assert gzip.decompress(unchunked(seen.body)) == CONTENT


def test_no_length_is_chunked(hub: Hub, url: str) -> None:
    hub.fault("no_length")
    seen = get(url)
    assert seen.headers["transfer-encoding"] == "chunked"
    assert unchunked(seen.body) == CONTENT


def test_headers_can_be_set_and_removed(hub: Hub, url: str) -> None:
    hub.fault("headers", set={"ETag": 'W/"weak"'}, remove=["Accept-Ranges", "Last-Modified"])
    seen = get(url)
    assert seen.headers["etag"] == 'W/"weak"'
    assert not {"accept-ranges", "last-modified"} & seen.headers.keys()


def test_huge_header(hub: Hub, url: str) -> None:
    hub.fault("huge_header", bytes=300_000)
    assert len(get(url).headers["x-huge"]) == 300_000


def test_redirects_elsewhere_in_a_loop_and_inside(hub: Hub, url: str) -> None:
    path = urllib.parse.urlsplit(url).path
    hub.fault("redirect", location="https://example.org/x", times=1)
    assert get(url).headers["location"] == "https://example.org/x"
    hub.fault("redirect_loop", times=1)
    seen = get(url)
    assert (seen.status, seen.headers["location"]) == (302, path)
    hub.fault("redirect_private", times=1)
    assert get(url).headers["location"].startswith("http://169.254.169.254/")


@pytest.mark.parametrize(
    ("kind", "content_type", "text"),
    [
        ("html_login", "text/html; charset=utf-8", b"Log in"),
        ("xml_error", "application/xml", b"<Error>"),
        ("lfs_pointer", "text/plain; charset=utf-8", b"version https://git-lfs.github.com/spec/v1\n"),
    ],
)
def test_something_else_with_status_200(hub: Hub, url: str, kind: str, content_type: str, text: bytes) -> None:
    hub.fault(kind)
    seen = get(url)
    assert (seen.status, seen.headers["content-type"]) == (200, content_type)
    assert text in seen.body
