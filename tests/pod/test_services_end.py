"""The end of services: in reverse order, within a grace, with everything that they left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from comfystow.core.pod.services.processes import runs
from comfystow.core.pod.services.tail import Tail
from comfystow.core.records.pod import ServiceState
from support.ask import ask
from support.pod_bench import Bench, service, until


def every_command_line() -> str:
    """Give the words of every process."""
    words = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words.append(process.read_text(errors="replace"))
    return "\n".join(words)


async def ready(bench: Bench, *names: str) -> None:
    for name in names:
        await until(lambda name=name: bench.status(name).state is ServiceState.READY, name)


async def test_services_end_in_reverse_order_of_their_needs(bench: Bench, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    await bench.run(
        service("base", ended=ended, note="base"),
        service("middle", needs=("base",), ended=ended, note="middle"),
        service("top", needs=("middle",), ended=ended, note="top"),
    )
    await ready(bench, "top")
    assert await bench.controller.close(5.0)
    assert ended.read_text().split() == ["top", "middle", "base"]


async def test_service_that_ignores_term_is_killed_when_its_grace_is_over(bench: Bench) -> None:
    await bench.run(service("deaf", ignore_term=1), service("polite"))
    await ready(bench, "deaf", "polite")
    pid = bench.status("deaf").pid
    began = time.monotonic()
    clean = await bench.controller.close(1.0)
    assert not clean
    assert not runs(pid)
    assert time.monotonic() - began >= 1.0


async def test_grandchildren_end_with_their_service(bench: Bench, tmp_path: Path) -> None:
    """One in the process group, one in a session of its own; both ignore TERM."""
    near, far = tmp_path / "near", tmp_path / "far"
    await bench.run(service("parent", fork=near, leave=far), grace_seconds=1.0)
    await ready(bench, "parent")
    pids = [int(near.read_text()), int(far.read_text())]
    assert all(map(runs, pids))
    await bench.controller.close(1.5)
    assert not any(map(runs, pids))


async def test_what_a_dead_service_leaves_in_its_group_is_gone_before_the_next_start(
    bench: Bench, tmp_path: Path
) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    await bench.run(service("parent", fork=near, leave=far))
    await ready(bench, "parent")
    in_group, alone = int(near.read_text()), int(far.read_text())
    os.kill(bench.status("parent").pid, signal.SIGKILL)
    await until(lambda: bench.status("parent").restarts == 1, "the restart")
    assert bench.status("parent").last_exit == "a signal ended it"
    assert not runs(in_group)
    assert runs(alone)  # who left the group on purpose (a training run of a notebook) goes on
    await ready(bench, "parent")


async def test_end_of_supervisord_itself_brings_everything_back(bench: Bench) -> None:
    await bench.run(service("one"), service("two"))
    await ready(bench, "one", "two")
    first = bench.status("one").pid
    os.kill(bench.daemon.process.pid, signal.SIGKILL)
    await until(lambda: bench.status("one").pid not in {None, first}, "another process")
    await ready(bench, "one", "two")
    assert not runs(first)


async def test_flood_of_output_is_bounded_on_disk_and_on_the_container_s_output(bench: Bench) -> None:
    written: list[str] = []
    await bench.run(service("flood", flood=35_000_000))
    tail = Tail({"flood": bench.daemon.log_of("flood")}, written.append)
    await ready(bench, "flood")
    tail.look()
    sizes = [path.stat().st_size for path in bench.daemon.logs.iterdir()]
    assert sum(sizes) <= 3 * 10_500_000
    assert len(sizes) == 3
    assert "are left out here" in written[0]
    assert sum(map(len, written)) < 200_000


async def test_tail_follows_a_log_over_its_rotation(tmp_path: Path) -> None:
    written: list[str] = []
    log = tmp_path / "a.log"
    tail = Tail({"a": log}, written.append)
    tail.look()
    log.write_bytes(b"one\ntw")
    tail.look()
    with log.open("ab") as file:
        file.write(b"o\n")
    tail.look()
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(b"three\n")
    tail.look()
    assert written == ["a | one", "a | two", "a | three"]


async def test_service_gets_its_own_environment_and_no_secret_stands_in_an_argument(bench: Bench) -> None:
    from dataclasses import replace

    row = service("one")
    odd = "per%cent \"quoted\" 'and' $HOME,\n; second line"
    row = replace(row, environment={**row.environment, "ODD": odd, "JUPYTER_TOKEN": "s3cret-word"})
    os.environ["COMFYSTOW_TEST_LEAK"] = "leak"
    try:
        await bench.run(row)
        await ready(bench, "one")
    finally:
        del os.environ["COMFYSTOW_TEST_LEAK"]
    told = ask("GET", f"http://127.0.0.1:{row.port}/").json()
    assert told["environment"]["ODD"] == odd
    assert "COMFYSTOW_TEST_LEAK" not in told["environment"]
    assert "s3cret-word" not in every_command_line()
    folder = bench.daemon.folder
    assert "s3cret-word" not in (folder / "supervisord.conf").read_text()
    child = folder / "children" / "one.json"
    assert child.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
