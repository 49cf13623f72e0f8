"""Faults of the connection and of its pace, seen on a raw socket; and which requests a rule strikes."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
from hub.server import Hub
from support.raw_http import CONTENT, SIZE, Seen, Wire, get


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

    source = "".join(path.read_text() for path in Path(__file__).parent.glob("test_hub_*.py"))
    kinds = hub.control("GET", "info")["fault_kinds"]
    assert [kind for kind in kinds if f'"{kind}"' not in source] == []
