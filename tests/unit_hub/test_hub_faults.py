"""Each fault, seen on a raw socket."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import socket
import threading
import time
import urllib.parse
from dataclasses import dataclass

import pytest
from hub.server import Hub

SIZE = 200_000
CONTENT = hashlib.shake_256(b"faults").digest(SIZE)


@dataclass
class Seen:
    """Everything that came over the wire until the end of the reply or of the connection."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    end: str  # "whole", "closed", "reset", "timeout"


class Wire:
    """A client that knows no more HTTP than it needs to look at it."""

    def __init__(self, url: str) -> None:
        self._url = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((self._url.hostname, self._url.port), timeout=10)

    def ask(self, *headers: str, method: str = "GET") -> None:
        target = f"{self._url.path}?{self._url.query}" if self._url.query else self._url.path
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._url.netloc}", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())

    def read(self) -> Seen:
        data, end, length, head_end = b"", "whole", None, -1
        while head_end < 0 or length is None or len(data) < head_end + 4 + length:
            try:
                piece = self.socket.recv(1 << 16)
            except ConnectionResetError:
                end = "reset"
                break
            except TimeoutError:
                end = "timeout"
                break
            if not piece:
                end = "closed"
                break
            data += piece
            head_end = data.find(b"\r\n\r\n")
            if head_end >= 0 and length is None:
                length = parse(data[:head_end])[1].get("content-length")
                length = int(length) if length else None
            if head_end >= 0 and data.endswith(b"0\r\n\r\n") and length is None:
                break
        if head_end < 0:
            return Seen(None, {}, data, end)
        status, headers = parse(data[:head_end])
        return Seen(status, headers, data[head_end + 4 :], end)


def parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}


def get(url: str, *headers: str, method: str = "GET") -> Seen:
    wire = Wire(url)
    with contextlib.closing(wire.socket):
        wire.ask(*headers, method=method)
        return wire.read()


def unchunked(body: bytes) -> bytes:
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        content += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return content


@pytest.fixture
def url(hub: Hub) -> str:
    return str(hub.add_direct("weights.bin", data=CONTENT)["url"])


def test_without_faults_the_file_is_whole(url: str) -> None:
    assert get(url) == Seen(200, get(url).headers, CONTENT, "whole")


def test_delay_comes_before_the_first_byte(hub: Hub, url: str) -> None:
    hub.fault("delay", seconds=0.3)
    begun = time.monotonic()
    assert get(url).body == CONTENT
    assert time.monotonic() - begun >= 0.3


@pytest.mark.parametrize("reset", [False, True])
def test_drop_sends_exactly_so_many_bytes_then_closes_or_resets(hub: Hub, url: str, reset: bool) -> None:
    hub.fault("drop", after_bytes=70_000, reset=reset, times=1)
    seen = get(url)
    assert (seen.status, seen.headers["content-length"]) == (200, str(SIZE))
    assert seen.body == CONTENT[:70_000]
    assert seen.end == ("reset" if reset else "closed")
    assert get(url).end == "whole"


def test_no_reply_closes_before_the_status_line(hub: Hub, url: str) -> None:
    hub.fault("no_reply", times=1)
    assert get(url) == Seen(None, {}, b"", "closed")
    hub.fault("no_reply", reset=True, times=1)
    assert get(url).end == "reset"


def test_stall_stops_in_the_body_until_the_client_gives_up(hub: Hub, url: str) -> None:
    hub.fault("stall", after_bytes=1000)
    wire = Wire(url)
    wire.socket.settimeout(0.5)
    with contextlib.closing(wire.socket):
        wire.ask()
        seen = wire.read()
    assert (seen.body, seen.end) == (CONTENT[:1000], "timeout")


def test_stall_for_a_while_goes_on(hub: Hub, url: str) -> None:
    hub.fault("stall", after_bytes=1000, seconds=0.2)
    begun = time.monotonic()
    assert get(url).body == CONTENT
    assert time.monotonic() - begun >= 0.2


def test_slow_loris_dribbles(hub: Hub, url: str) -> None:
    hub.fault("slow_loris", after_bytes=SIZE - 10, chunk_bytes=2, interval_seconds=0.05)
    begun = time.monotonic()
    assert get(url).body == CONTENT
    assert time.monotonic() - begun >= 0.2


def test_slow_loris_can_strike_some_connections_only(hub: Hub, url: str) -> None:
    hub.fault("slow_loris", every=3, interval_seconds=1)
    struck = []
    for _ in range(6):
        wire = Wire(url)
        wire.socket.settimeout(0.3)
        with contextlib.closing(wire.socket):
            wire.ask()
            struck.append(wire.read().end == "timeout")
    assert struck == [True, False, False, True, False, False]


@pytest.mark.parametrize(("retry_after", "told"), [(None, None), (7, "7")])
def test_status_with_and_without_retry_after(hub: Hub, url: str, retry_after: int | None, told: str | None) -> None:
    hub.fault("status", status=503, retry_after=retry_after, times=1)
    seen = get(url)
    assert (seen.status, seen.headers.get("retry-after")) == (503, told)
    assert get(url).status == 200


def test_rate_limit_carries_the_headers_of_the_hub(hub: Hub) -> None:
    hub.fault("rate_limit", origin="hf", retry_after=9)
    seen = get(f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors")
    assert (seen.status, seen.headers["retry-after"]) == (429, "9")
    assert seen.headers["ratelimit"] == '"resolvers";r=0;t=9'


def test_too_many_connections_get_429_and_free_places_work_again(hub: Hub, url: str) -> None:
    hub.fault("stall", after_bytes=1000, times=2)
    hub.fault("max_connections", limit=2)
    held = [Wire(url), Wire(url)]
    for wire in held:
        wire.ask()
        assert wire.socket.recv(100)
    assert get(url).status == 429
    for wire in held:
        wire.socket.close()
    deadline = time.monotonic() + 5
    while (seen := get(url)).status == 429 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen.body == CONTENT


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


def test_rate_paces_each_connection(hub: Hub) -> None:
    size = 3_000_000
    url = hub.add_direct("paced.bin", size_bytes=size, digest=False)["url"]
    hub.fault("rate", bytes_per_second=4_000_000)
    begun = time.monotonic()
    threads = [threading.Thread(target=get, args=(url,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Half of the ideal 0.75 s: a kernel sends the first window unpaced.
    assert time.monotonic() - begun >= 0.35


def test_pace_ends_with_its_rule_on_a_kept_connection(hub: Hub, url: str) -> None:
    wire = Wire(url)
    with contextlib.closing(wire.socket):
        with hub.faulty("rate", bytes_per_second=2_000_000):
            wire.ask()
            assert wire.read().body == CONTENT
        wire.ask()
        assert wire.read().body == CONTENT
    assert len({row["connection"] for row in hub.requests(origin="cdn")}) == 1


def test_faults_combine(hub: Hub, url: str) -> None:
    hub.fault("headers", set={"ETag": '"other"'})
    hub.fault("ignore_range")
    hub.fault("drop", after_bytes=10)
    seen = get(url, "Range: bytes=100-199")
    assert (seen.status, seen.headers["etag"], seen.body) == (200, '"other"', CONTENT[:10])
    assert hub.requests(origin="cdn")[-1]["faults"] == ["headers", "ignore_range", "drop"]


def test_fraction_strikes_the_same_requests_in_every_run(hub: Hub) -> None:
    runs = []
    for _ in range(2):
        hub.reset()
        url = hub.add_direct("weights.bin", data=CONTENT)["url"]
        hub.fault("status", fraction=0.5)
        runs.append([get(url).status for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


def test_selectors_pick_file_method_offset_and_turn(hub: Hub, url: str) -> None:
    rule = hub.fault("status", file="weights.*", methods=["GET"], min_offset=100, skip=1, times=1)
    other = hub.add_direct("other.bin", data=CONTENT)["url"]
    late = "Range: bytes=150-160"
    assert get(other, late).status == 206
    assert get(url, "Range: bytes=0-10").status == 206
    assert get(url, late, "Connection: close", method="HEAD").status == 206
    assert [get(url, late).status for _ in range(3)] == [206, 503, 206]
    (row,) = hub.faults()
    assert (row["rule_id"], row["met"], row["applied"]) == (rule, 3, 1)


def test_rule_without_origin_leaves_the_way_to_the_file_alone(hub: Hub) -> None:
    hub.fault("status", file="taesd.safetensors")
    first = get(f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors")
    assert first.status == 302
    assert get(first.headers["location"]).status == 503


def test_every_kind_of_fault_is_seen_here(hub: Hub) -> None:
    from pathlib import Path

    source = Path(__file__).read_text() + Path(__file__).with_name("test_hub_protocol.py").read_text()
    kinds = hub.control("GET", "info")["fault_kinds"]
    assert [kind for kind in kinds if f'"{kind}"' not in source] == []
