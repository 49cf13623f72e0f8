"""Real children under the real supervisord: what counts as ready, what is started again, and when no more."""

from __future__ import annotations

from comfystow.core.pod.services.probe import CommandProbe, HttpProbe, TcpProbe
from comfystow.core.pod.services.restart import RestartPolicy
from comfystow.core.records.pod import ServiceState
from support.comfyui import free_port
from support.pod_bench import Bench, service, until

LOOP = RestartPolicy(base_seconds=0.05, max_seconds=0.2, limit=3, rare_seconds=600)


async def test_service_is_ready_when_it_answers_and_not_when_it_was_started(bench: Bench) -> None:
    await bench.run(service("slow", delay=1.0))
    await until(lambda: bench.status("slow").pid, "a process")
    assert bench.status("slow").state is ServiceState.STARTING
    await until(lambda: bench.status("slow").state is ServiceState.READY, "an answer")
    assert bench.status("slow").startup_seconds >= 0.9
    assert bench.status("slow").restarts == 0


async def test_answers_that_are_not_the_right_one_are_not_ready(bench: Bench) -> None:
    """`curl` without -f takes 500 and 401 for an answer, and 200 alone may come from anybody."""
    await bench.run(
        service("broken", status=500),
        service("locked", status=401),
        service("other", probe=HttpProbe(port=(port := free_port()), key="kernels"), port=port),
        service("right"),
    )
    await until(lambda: bench.status("right").state is ServiceState.READY, "the right one")
    await until(lambda: "500, not 200" in (bench.status("broken").reason or ""), "word of 500")
    await until(lambda: "401, not 200" in (bench.status("locked").reason or ""), "word of 401")
    await until(lambda: "has no `kernels`" in (bench.status("other").reason or ""), "word of the key")
    assert {bench.status(name).state for name in ("broken", "locked", "other")} == {ServiceState.STARTING}


async def test_ports_and_commands_are_probes_too(bench: Bench) -> None:
    port = free_port()
    await bench.run(
        service("port", probe=TcpProbe(port=port), port=port),
        service("greets", probe=TcpProbe(port=(other := free_port()), banner="SSH-"), port=other),
        service("command", probe=CommandProbe(words=("/bin/sh", "-c", "exit 0"))),
        service("fails", probe=CommandProbe(words=("/bin/sh", "-c", "exit 7"))),
    )
    await until(lambda: bench.status("port").state is ServiceState.READY, "the port")
    await until(lambda: bench.status("command").state is ServiceState.READY, "the command")
    await until(lambda: bench.status("fails").reason == "its check ended with 7", "the failure")
    assert bench.status("greets").state is ServiceState.STARTING


async def test_crash_is_followed_by_growing_pauses_and_then_by_a_breaker(bench: Bench) -> None:
    await bench.run(service("crash", exit=3), service("other"), policy=LOOP)
    await until(lambda: bench.status("crash").state is ServiceState.CRASH_LOOP, "the breaker")
    status = bench.status("crash")
    assert status.restarts == 2
    assert status.last_exit == "it ended with 3"
    assert status.next_start_at is not None
    await until(lambda: bench.status("other").state is ServiceState.READY, "the other one")


async def test_somebody_can_start_what_gave_up(bench: Bench, tmp_path) -> None:
    await bench.run(service("crash", exit=3), policy=LOOP)
    await until(lambda: bench.status("crash").state is ServiceState.CRASH_LOOP, "the breaker")
    before = bench.log("crash")
    await bench.controller.order("start", "crash")
    await until(lambda: bench.status("crash").state is not ServiceState.CRASH_LOOP, "another try")
    await until(lambda: bench.status("crash").state is ServiceState.CRASH_LOOP, "the breaker again")
    assert bench.log("crash") == before  # it writes nothing: its log is no proof, its ends are
    assert bench.status("crash").restarts == 4


async def test_stable_run_forgets_earlier_ends(bench: Bench) -> None:
    policy = RestartPolicy(base_seconds=0.05, max_seconds=0.1, limit=3, rare_seconds=600, stable_seconds=0.3)
    await bench.run(service("late", exit=1, after=0.8), policy=policy)
    await until(lambda: bench.status("late").restarts >= 4, "more ends than the limit")
    assert bench.status("late").state is not ServiceState.CRASH_LOOP


async def test_service_that_hangs_is_unhealthy_and_then_started_again(bench: Bench, tmp_path) -> None:
    hang = tmp_path / "hang"
    await bench.run(service("hangs", hang=hang), check_timeout_seconds=0.2, hang_seconds=1.0)
    await until(lambda: bench.status("hangs").state is ServiceState.READY, "an answer")
    first = bench.status("hangs").pid
    hang.touch()
    await until(lambda: bench.status("hangs").state is ServiceState.UNHEALTHY, "the illness")
    await until(lambda: (bench.status("hangs").last_exit or "").startswith("it hung"), "its end")
    hang.unlink()
    await until(lambda: bench.status("hangs").state is ServiceState.READY, "the next one")
    assert bench.status("hangs").pid != first


async def test_start_that_takes_too_long_counts_as_an_end(bench: Bench) -> None:
    await bench.run(service("never", delay=60), start_seconds=0.5, policy=LOOP)
    await until(lambda: bench.status("never").state is ServiceState.CRASH_LOOP, "the breaker")
    assert "not ready within 0.5 s" in bench.status("never").last_exit


async def test_program_that_is_not_there_is_told(bench: Bench) -> None:
    from dataclasses import replace

    await bench.run(replace(service("gone"), words=("/no/such/program",)), policy=LOOP)
    await until(lambda: bench.status("gone").state is ServiceState.CRASH_LOOP, "the breaker")
    assert "No such file" in bench.log("gone")


async def test_dependencies_start_when_what_they_need_is_ready_and_the_rest_at_once(bench: Bench) -> None:
    await bench.run(
        service("first", delay=1.0),
        service("then", needs=("first",)),
        service("beside"),
        service("last", needs=("then",)),
    )
    await until(lambda: bench.status("beside").state is ServiceState.READY, "the one beside")
    assert bench.status("then").state is ServiceState.WAITING
    assert bench.status("then").reason == "it waits for first to be ready"
    await until(lambda: bench.status("last").state is ServiceState.READY, "the last one")
    begun = [bench.status(name).started_at for name in ("first", "then", "last")]
    assert begun == sorted(begun)
    assert begun[1] >= begun[0] + bench.status("first").startup_seconds - 0.2


async def test_end_of_one_service_leaves_the_others_alone(bench: Bench) -> None:
    await bench.run(service("dies", exit=1, after=1.0), service("stays"))
    await until(lambda: bench.status("stays").state is ServiceState.READY, "both")
    pid = bench.status("stays").pid
    await until(lambda: bench.status("dies").restarts >= 1, "the end")
    assert bench.status("stays").pid == pid
    assert bench.status("stays").restarts == 0


async def test_orders_stop_start_and_restart(bench: Bench) -> None:
    await bench.run(service("one"))
    await until(lambda: bench.status("one").state is ServiceState.READY, "an answer")
    first = bench.status("one").pid
    assert (await bench.controller.order("stop", "one")).state is ServiceState.STOPPED
    assert bench.status("one").pid is None
    await bench.controller.order("start", "one")
    await until(lambda: bench.status("one").state is ServiceState.READY, "the start")
    second = bench.status("one").pid
    await bench.controller.order("restart", "one")
    await until(lambda: bench.status("one").state is ServiceState.READY, "the restart")
    assert len({first, second, bench.status("one").pid}) == 3
    assert bench.status("one").restarts == 0  # these were no failures
