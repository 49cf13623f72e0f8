"""Properties of the pure parts: ranges, plans, journals, answers, shares, pauses."""

from __future__ import annotations

import contextlib

import pytest
from comfystow.core.errors import ServerError
from comfystow.core.transfer.connections.head import Head, Headers, Meaning, judge, parse_head
from comfystow.core.transfer.lanes.adapt import Connections, fair_shares
from comfystow.core.transfer.lanes.plan import Piece, Plan, slowest
from comfystow.core.transfer.lanes.ratelimit import Bucket
from comfystow.core.transfer.lanes.retry import backoff_seconds
from comfystow.core.transfer.part.journal import ROOM_BYTES, Lease, Record, decode, encode, frame, may_take
from comfystow.core.transfer.part.ranges import Ranges
from hypothesis import given, settings
from hypothesis import strategies as st

SPACE = 64
spans = st.tuples(st.integers(0, SPACE), st.integers(0, SPACE)).map(lambda pair: (min(pair), max(pair)))
edits = st.lists(st.tuples(st.booleans(), spans), max_size=30)


@given(edits)
def test_ranges_are_the_set_they_say(changes):
    ranges, model = Ranges(), set()
    for adding, (start, stop) in changes:
        (ranges.add if adding else ranges.remove)(start, stop)
        model = model | set(range(start, stop)) if adding else model - set(range(start, stop))
    assert {byte for start, stop in ranges for byte in range(start, stop)} == model
    assert ranges.total == len(model)
    assert ranges.prefix == next(byte for byte in range(SPACE + 2) if byte not in model)
    assert all(left[1] < right[0] for left, right in zip(list(ranges), list(ranges)[1:], strict=False))
    gap = ranges.first_gap(SPACE)
    missing = [byte for byte in range(SPACE) if byte not in model]
    assert (gap[0] if gap else None) == (missing[0] if missing else None)
    if gap:
        assert not any(byte in model for byte in range(*gap))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 24 << 20), st.data())
def test_plan_hands_out_every_byte_once_and_ends(size, data):
    plan = Plan(size, Ranges())
    delivered = Ranges()
    for _ in range(100):
        if plan.complete:
            break
        choice = data.draw(st.sampled_from(["take", "steal", "move", "break"])) if len(plan.active) < 9 else "move"
        if choice == "take" or not plan.active:
            plan.take(lanes=8, lane_rate=20e6, latency_seconds=0.01)
            continue
        piece = plan.active[data.draw(st.integers(0, len(plan.active) - 1))]
        if choice == "steal":
            plan.steal(piece, victim_rate=data.draw(st.sampled_from([0.0, 1e3, 1e7])), thief_rate=1e7)
            continue
        assert piece.stop is not None
        step = piece.stop - piece.position if choice == "move" else (piece.stop - piece.position) // 2
        assert not any(delivered.covers(at, at + 1) for at in (piece.position,) if step)
        delivered.add(piece.position, piece.position + step)
        piece.position += step
        plan.release(piece)
    assert plan.bytes_done == delivered.total + sum(p.position - p.start for p in plan.active)
    assert plan.complete == delivered.covers(0, size)


def test_pieces_come_in_file_order_and_shrink_towards_the_end():
    plan = Plan(1 << 30, Ranges())
    sizes, at = [], 0
    while (piece := plan.take(lanes=8, lane_rate=20e6, latency_seconds=0.04)) is not None:
        assert piece.start == at
        at = piece.stop
        sizes.append(piece.stop - piece.start)
    assert at == 1 << 30
    assert sizes[-1] <= 2 << 20 < sizes[0]


def test_theft_takes_everything_from_one_that_crawls_and_half_from_an_equal():
    plan = Plan(100 << 20, Ranges())
    victim = plan.take(lanes=1, lane_rate=None, latency_seconds=None)
    whole = victim.stop
    half = plan.steal(victim, victim_rate=1e7, thief_rate=1e7)
    assert half.start == victim.stop == whole // 2
    rest = plan.steal(victim, victim_rate=1e3, thief_rate=1e7)
    assert (rest.start, victim.stop) == (victim.position, victim.position)


def test_nobody_is_robbed_who_is_about_to_finish():
    assert slowest([(Piece(0, 1000), 1e6)], typical_rate=1e6, least_seconds=0.25) is None


LEASE = Lease(owner="a", boot_id="b", pid_namespace="n", pid=1, heartbeat_at=1000.0)
pairs = st.lists(st.tuples(st.integers(0, 1 << 45), st.integers(1, 1 << 30)), max_size=600).map(
    lambda items: tuple((start, start + size) for start, size in items)
)


def record(done=(), synced=(), **facts):
    values = {"source": "hf://a/b/c", "size_bytes": 1 << 50, "etag": '"x"', "digest": None, "boot_id": "b"} | facts
    return Record(done=done, synced=synced, lease=LEASE, **values)


@given(pairs, pairs, st.integers(0, 1 << 40))
def test_journal_reads_what_it_wrote_and_never_claims_more(done, synced, sequence):
    line = encode(record(done, synced), sequence)
    assert len(line) <= ROOM_BYTES
    found = decode(frame(line, 0)[1])
    assert found is not None
    assert found[1] == sequence
    assert set(found[0].done) <= set(done)
    assert set(found[0].synced) <= set(synced)


@given(st.binary(max_size=400))
def test_journal_survives_garbage(garbage):
    assert decode(garbage) is None


@given(st.integers(0, 2 * ROOM_BYTES), st.binary(min_size=1, max_size=64))
def test_torn_write_spoils_at_most_the_record_it_hit(offset, noise):
    file = bytearray(2 * ROOM_BYTES + 10)
    for sequence in (1, 2):
        at, data = frame(encode(record(((0, sequence),)), sequence), sequence)
        file[at : at + len(data)] = data
    file[offset : offset + len(noise)] = noise
    found = decode(bytes(file))
    assert found is None or found[0].done == ((0, found[1]),)
    whole = bytes(file)
    if b"\n" not in noise and not ROOM_BYTES - 100 < offset < ROOM_BYTES + 4:
        assert decode(whole) is not None


def test_after_a_reboot_only_synced_ranges_count():
    kept = record(done=((0, 100),), synced=((0, 40),))
    assert list(kept.ranges("b")) == [(0, 100)]
    assert list(kept.ranges("another boot")) == [(0, 40)]


@pytest.mark.parametrize(
    ("heartbeat", "alive", "expected"),
    [(None, None, True), (1000.0, None, False), (900.0, None, True), (1000.0, False, True), (2000.0, None, True)],
)
def test_take_over(heartbeat, alive, expected):
    theirs = Lease(owner="other", boot_id="b", pid_namespace="n", pid=2, heartbeat_at=heartbeat)
    assert may_take(theirs, now=1010.0, mine=LEASE, timeout_seconds=60, process_alive=alive) is expected


def head(status=206, **headers):
    return Head(status, Headers({name.replace("_", "-"): value for name, value in headers.items()}), keep_alive=True)


@given(
    st.integers(0, 50), st.integers(0, 50), st.integers(0, 60), st.integers(0, 60),
    st.one_of(st.none(), st.integers(0, 60)), st.one_of(st.none(), st.integers(0, 60)),
)  # fmt: skip
def test_only_a_consistent_range_is_accepted(start, length, first, last, total, known):
    answer = head(
        content_range=f"bytes {first}-{last}/{'*' if total is None else total}",
        content_length=str(max(0, last + 1 - first)),
    )
    stop = start + length
    verdict = judge(answer, start=start, stop=stop, size_bytes=known, etag=None, conditional=False)
    if verdict.meaning is Meaning.RANGE:
        assert first == start == verdict.start
        assert start < verdict.stop <= stop
        assert total is None or verdict.stop <= total
        assert known is None or total in {None, known}


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (head(200, content_length="100"), Meaning.WHOLE),
        (head(200, content_length="99"), Meaning.CHANGED),
        (head(200, content_length="100", etag='"b"'), Meaning.CHANGED),
        (head(200, content_length="100", content_encoding="gzip"), Meaning.REFUSED),
        (head(206, content_range="bytes 10-19/100", content_encoding="gzip"), Meaning.REFUSED),
        (head(206, content_range="bytes 10-19/100", content_length="9"), Meaning.REFUSED),
        (head(206, content_range="bytes 10-19/101"), Meaning.CHANGED),
        (head(206, content_range="bytes 10-19/100", etag='"b"'), Meaning.CHANGED),
        (head(206, content_range="bytes 10-19/100", etag='W/"b"'), Meaning.RANGE),
        (head(206), Meaning.REFUSED),
        (head(416, content_range="bytes */100"), Meaning.END),
        (head(416, content_range="bytes */5"), Meaning.CHANGED),
        (head(416), Meaning.REFUSED),
        (head(204), Meaning.REFUSED),
        (head(302), Meaning.REDIRECT),
        (head(503), Meaning.ERROR),
    ],
)
def test_answers(answer, meaning):
    verdict = judge(answer, start=10, stop=20, size_bytes=100, etag='"a"', conditional=False)
    assert verdict.meaning is meaning


@given(st.binary(max_size=300))
def test_head_parser_gives_a_head_or_refuses(raw):
    with contextlib.suppress(ServerError):
        parse_head(b"HTTP/1.1 200 OK\r\n" + raw)


@pytest.mark.parametrize(
    "raw",
    [b"", b"HTTP/2 200", b"HTTP/1.1 99 no", b"HTTP/1.1 200 OK\r\n folded", b"HTTP/1.1 200 OK\r\nA b: c",
     b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6"],
)  # fmt: skip
def test_malformed_heads_are_refused(raw):
    with pytest.raises(ServerError):
        parse_head(raw)


wants = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=12)


@given(wants, st.integers(1, 30), st.integers(1, 12))
def test_shares_keep_the_limits_and_waste_nothing(asked, total, per_host):
    rows = [(number, host, count) for number, (host, count) in enumerate(asked)]
    shares = fair_shares(rows, total=total, per_host=per_host)
    used = {host: sum(shares[key] for key, at, _ in rows if at == host) for host in "abc"}
    assert sum(shares.values()) <= total
    assert all(count <= per_host for count in used.values())
    for key, host, count in rows:
        assert shares[key] <= count
        if shares[key] < count and sum(shares.values()) < total:
            assert used[host] == per_host
    for key, host, count in rows:
        for other, at, _ in rows:
            if host == at and shares[key] < count:
                assert shares[other] <= shares[key] + 1


@given(st.integers(1, 100), st.one_of(st.none(), st.floats(0, 100)))
def test_pauses_grow_to_a_limit_and_obey_the_server(failures, retry_after):
    pause = backoff_seconds(failures, base=0.5, most=60, retry_after=retry_after)
    assert 0 <= pause <= max(60, retry_after or 0)
    assert pause >= (retry_after or 0)


def simulate(connections, rate_of, seconds=30.0, limit=None):
    """Drive the controller by a clock; `rate_of(n)` is what n connections bring."""
    now = done = 0.0
    seen = []
    while now < seconds:
        active = connections.target
        if limit is not None and active > limit:
            connections.refused(now, working=limit, retry_after=None)
            active = limit
        connections.tick(now, int(done), active=min(active, connections.target), window_seconds=0.3)
        done += rate_of(min(active, connections.target)) * 0.1
        now += 0.1
        seen.append(connections.target)
    return seen


def test_connections_grow_to_what_the_server_gains_from():
    seen = simulate(Connections(most=32, fixed=False), lambda count: 10e6 * min(count, 16))
    assert sorted(seen)[len(seen) // 2] >= 14
    assert seen.index(16) < 20


def test_connections_settle_at_what_the_server_allows():
    seen = simulate(Connections(most=32, fixed=False), lambda count: 10e6 * count, limit=4)
    assert sorted(seen)[len(seen) // 2] <= 4


def test_connections_stay_few_where_more_bring_nothing():
    seen = simulate(Connections(most=32, fixed=False), lambda count: 50e6)
    assert sorted(seen)[len(seen) // 2] <= 4


@given(st.integers(10_000, 10**8), st.lists(st.integers(1, 500_000), min_size=30, max_size=60))
def test_bucket_keeps_the_rate(rate, chunks):
    bucket, now, total = Bucket(rate), 0.0, 0
    for chunk in chunks:
        now += bucket.take(chunk, now)
        total += chunk
    assert total <= rate * now + max(16 << 10, rate * 0.1) + 1
