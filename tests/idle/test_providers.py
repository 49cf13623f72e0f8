"""Stopping a machine at its provider, over real sockets: every published status, and all that can happen on the way."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.config import Settings
from comfystow.core.errors import ConfigError
from comfystow.core.idle.providers import Provider, detect
from comfystow.core.idle.providers.api import Verdict, judge
from comfystow.core.idle.providers.detect import completed_environment
from comfystow.core.net.proxies import Proxies
from comfystow.core.records.idle import Survives
from comfystow.core.records.json import to_json
from support.providers import INSTANCE, KEY, NETWORK_VOLUME, POD, FakeProviders, Fault

RUNPOD = {"RUNPOD_POD_ID": POD, "RUNPOD_API_KEY": KEY, "RUNPOD_DC_ID": "US-KS-2", "PATH": "/nowhere"}
VAST = {"CONTAINER_ID": INSTANCE, "CONTAINER_API_KEY": KEY, "VAST_CONTAINERLABEL": f"C.{INSTANCE}"}
QUICK: dict[str, Any] = {
    "provider_tries": 3, "provider_pause_seconds": 0.01, "provider_timeout_seconds": 20.0, "provider_confirm_seconds": 0.1,
}  # fmt: skip
#: For what never answers; long enough for the right answer that follows, on a slow machine too.
SOON: dict[str, Any] = {"provider_timeout_seconds": 1.5}
HANG = Fault(kind="hang")


@asynccontextmanager
async def provider(api: FakeProviders, environment: dict[str, str], **settings: Any) -> AsyncIterator[Provider]:
    numbers = {**QUICK, "runpod_api_url": api.url, "vast_api_url": api.url, **settings}
    found = detect(environment, Settings(**numbers), Proxies())
    try:
        yield found
    finally:
        await found.close()


async def test_pod_is_described_as_the_api_tells_it(api: FakeProviders) -> None:
    async with provider(api, RUNPOD) as runpod:
        machine = await runpod.describe()
    assert machine.id == POD
    assert (machine.status, machine.running, machine.locked) == ("RUNNING", True, False)
    assert machine.cost_per_hour == 0.44
    assert machine.gpu == "1 × NVIDIA GeForce RTX 4090"
    assert (machine.region, machine.survives) == ("US-KS-2", Survives.STOP)
    assert machine.started_at == 1780315320.0
    assert machine.note is None


async def test_pod_is_stopped_by_one_call_of_the_second_version(api: FakeProviders) -> None:
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop()
    assert result.done
    assert api.calls() == [f"POST /v2/pods/{POD}/action"]
    assert api.asked[0][2] == {"action": "stop"}
    assert [(attempt.way, attempt.status, attempt.done) for attempt in result.attempts] == [("API v2", 200, True)]


def test_every_status_has_its_meaning() -> None:
    meanings = {
        Verdict.DONE: (200, 201, 204),
        Verdict.CONFLICT: (409,),
        Verdict.REFUSED: (301, 307, 400, 401, 403, 404, 405, 422),
        Verdict.AGAIN: (408, 425, 429, 500, 502, 503, 504, 520, 524),
    }
    for verdict, statuses in meanings.items():
        assert {judge(status) for status in statuses} == {verdict}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_refusal_is_not_repeated_and_the_next_way_is_taken(api: FakeProviders, status: int) -> None:
    api.fail("rest", status)
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop()
    assert result.done
    assert api.calls() == [f"POST /v2/pods/{POD}/action", "POST /graphql"]
    assert [attempt.status for attempt in result.attempts] == [status, 200]
    assert f"played {status}" in result.attempts[0].words


@pytest.mark.parametrize("fault", [500, 502, 503, 504, Fault(kind="drop"), HANG])
async def test_trouble_is_tried_again_on_the_same_way(api: FakeProviders, fault: Fault | int) -> None:
    api.fail("rest", fault, fault)
    async with provider(api, RUNPOD, **(SOON if fault is HANG else {})) as runpod:
        result = await runpod.stop()
    assert result.done
    assert [attempt.way for attempt in result.attempts] == ["API v2"] * 3
    assert [attempt.done for attempt in result.attempts] == [False, False, True]


@pytest.mark.parametrize("headers", [{"Retry-After": "0.3"}, {"RateLimit": '"minute";r=0;t=1, "hour";r=9;t=99'}, {}])
async def test_who_asks_too_often_waits_as_long_as_told(api: FakeProviders, headers: dict[str, str]) -> None:
    api.fail("rest", Fault(status=429, headers=headers))
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop()
    assert result.done
    assert [attempt.status for attempt in result.attempts] == [429, 200]
    waited = result.attempts[1].at - result.attempts[0].at
    assert waited >= {"Retry-After": 0.3, "RateLimit": 1.0}.get(next(iter(headers), ""), 0.0) * 0.95


async def test_call_without_an_answer_that_worked_is_not_repeated(api: FakeProviders) -> None:
    api.fail("rest", Fault(kind="drop", acts=True))
    async with provider(api, RUNPOD) as runpod:
        assert (await runpod.stop()).done
    assert api.stops == 1


async def test_conflict_of_a_pod_that_has_stopped_is_good_news(api: FakeProviders) -> None:
    api.pod.update(status="EXITED", actions=["start", "terminate"])
    async with provider(api, RUNPOD) as runpod:
        assert (await runpod.stop()).done
    assert api.stops == 1


async def test_locked_pod_is_left_alone_and_said_so(api: FakeProviders) -> None:
    api.pod["locked"] = True
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop()
    assert not result.done
    assert api.calls() == [f"POST /v2/pods/{POD}/action"]
    assert result.hint is not None
    assert "unlock" in result.hint


async def test_conflict_that_passes_is_waited_for(api: FakeProviders) -> None:
    api.fail("rest", 409)
    async with provider(api, RUNPOD) as runpod:
        assert (await runpod.stop()).done
    assert api.calls() == [f"POST /v2/pods/{POD}/action"] * 2


async def test_accepted_and_not_carried_out_is_no_stop(api: FakeProviders) -> None:
    api.stubborn = True
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop()
    assert not result.done
    assert api.calls() == [f"POST /v2/pods/{POD}/action", "POST /graphql"]
    assert "still RUNNING" in result.attempts[1].words


async def test_state_that_cannot_be_read_back_is_believed(api: FakeProviders) -> None:
    """The network of a machine that is being stopped goes away first."""
    api.fail("look", *[Fault(kind="drop")] * 20)
    async with provider(api, RUNPOD) as runpod:
        assert (await runpod.stop()).done


async def test_errors_of_graphql_come_with_status_200_and_are_none_the_less(api: FakeProviders) -> None:
    api.fail("rest", 403)
    api.fail("graphql", Fault(body='{"errors": [{"message": "Something went wrong"}], "data": null}'))
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop()
    assert not result.done
    assert [attempt.way for attempt in result.attempts] == ["API v2", "GraphQL", "runpodctl"]
    assert "Something went wrong" in result.attempts[1].words
    assert "not installed" in result.attempts[2].words


async def test_own_tool_is_the_last_way(api: FakeProviders, tmp_path: Path) -> None:
    tool = tmp_path / "runpodctl"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho "pod stopped, key $RUNPOD_API_KEY"\n')
    tool.chmod(0o755)
    api.fail("rest", 401)
    api.fail("graphql", 401)
    async with provider(api, {**RUNPOD, "PATH": f"{tmp_path}:/bin"}) as runpod:
        api.fail("look", *[404] * 9)
        result = await runpod.stop()
    assert result.done
    assert (tmp_path / "asked").read_text() == f"pod stop {POD}\n"
    assert "pod stopped" in result.attempts[-1].words
    assert KEY not in str(result)


async def test_everything_fails_and_everything_is_told(api: FakeProviders) -> None:
    api.fail("rest", 500, 500, 500)
    api.fail("graphql", 503, Fault(kind="drop"), 429)
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop()
    assert not result.done
    assert len(result.attempts) == 7
    assert "console" in (result.hint or "")


async def test_termination_needs_a_volume_that_survives(api: FakeProviders) -> None:
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop(terminate=True)
    assert (result.done, result.action) == (True, "stop")
    assert "not terminated" in result.words
    assert api.pod["status"] == "EXITED"


async def test_termination_with_a_network_volume(api: FakeProviders) -> None:
    api.pod["mounts"] = NETWORK_VOLUME
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop(terminate=True)
    assert (result.done, result.action) == (True, "terminate")
    assert [attempt.status for attempt in result.attempts] == [204]
    assert api.pod["status"] == "TERMINATED"


async def test_termination_is_not_guessed_where_the_volume_is_unknown(api: FakeProviders) -> None:
    api.pod["mounts"] = NETWORK_VOLUME
    api.fail("look", 500)
    async with provider(api, RUNPOD) as runpod:
        assert (await runpod.stop(terminate=True)).action == "stop"


async def test_key_is_in_the_header_and_nowhere_else(api: FakeProviders, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api.fail("rest", 403, 500)
    api.fail("graphql", Fault(status=500, body=f"oops {KEY}"), 401)
    async with provider(api, RUNPOD) as runpod:
        result = await runpod.stop()
        shown = [repr(runpod), str(vars(runpod)), *runpod.plan(), str(to_json(result)), repr(await runpod.describe())]
    assert all(headers["Authorization"] == f"Bearer {KEY}" for _, _, _, headers, _ in api.asked)
    assert all(KEY not in f"{path}{query}{body}" for _, path, body, _, query in api.asked)
    environment_is_the_owners = str(RUNPOD)
    assert KEY not in "".join(shown).replace(environment_is_the_owners, "") + caplog.text


async def test_redirect_is_not_followed_with_the_key(api: FakeProviders) -> None:
    api.fail("rest", Fault(status=307, headers={"Location": f"{api.url}/elsewhere"}))
    async with provider(api, RUNPOD) as runpod:
        await runpod.stop()
    assert all(path != "/elsewhere" for _, path, *_ in api.asked)


@pytest.mark.parametrize("pod", ["../templates", "a/b", "a?x=1", "", "x" * 80])
async def test_id_that_is_none_calls_nobody(api: FakeProviders, pod: str) -> None:
    async with provider(api, {**RUNPOD, "RUNPOD_POD_ID": pod}) as runpod:
        assert not (await runpod.stop()).done
    assert api.asked == []


async def test_hostile_answers_are_words_and_numbers_only(api: FakeProviders) -> None:
    api.pod.update(cost=float("1e30"), gpu={"id": 7, "count": "many"}, mounts=[], locked="yes", startedAt="soon")
    async with provider(api, RUNPOD) as runpod:
        machine = await runpod.describe()
    assert machine.running is True
    assert (machine.cost_per_hour, machine.gpu, machine.locked, machine.started_at) == (None, None, None, None)


async def test_vast_instance_is_described_and_stopped(api: FakeProviders) -> None:
    async with provider(api, VAST) as vast:
        machine = await vast.describe()
        result = await vast.stop(terminate=True)
    assert (machine.cost_per_hour, machine.gpu, machine.region) == (0.31, "2 × RTX 4090", "Sweden, SE")
    assert (result.done, result.action) == (True, "stop")
    assert "not destroyed" in result.words
    assert api.calls() == [f"PUT /api/v0/instances/{INSTANCE}/"]


@pytest.mark.parametrize(
    ("faults", "done", "calls"),
    [
        ([Fault(status=429, body="API requests too frequent: endpoint threshold=1.0")], True, 2),
        ([Fault(body='{"success": false, "error": "resources_unavailable", "msg": "queued"}')], True, 2),
        ([HANG], True, 2),
        ([500, 500, 500], False, 3),
        ([401], False, 1),
        ([Fault(status=404, body='{"success": false, "error": "no_such_instance", "msg": "gone"}')], False, 1),
    ],
)
async def test_vast_statuses(api: FakeProviders, faults: list[Any], done: bool, calls: int) -> None:
    api.fail("vast", *faults)
    async with provider(api, VAST, **(SOON if HANG in faults else {})) as vast:
        result = await vast.stop()
    assert result.done is done
    assert len(api.calls()) == calls == len(result.attempts)


def test_vast_id_is_taken_from_the_label_too() -> None:
    environment = {"VAST_CONTAINERLABEL": f"C.{INSTANCE}", "CONTAINER_API_KEY": KEY}
    assert f"/api/v0/instances/{INSTANCE}/" in detect(environment, Settings(), Proxies()).plan()[0]


async def test_owners_command_comes_first_and_knows_the_wish(api: FakeProviders, tmp_path: Path) -> None:
    script = tmp_path / "stop it.sh"
    script.write_text(f'#!/bin/sh\necho "$COMFYSTOW_IDLE_ACTION $1" > {tmp_path}/did\n')
    script.chmod(0o755)
    command = f"'{script}' 'a b; touch {tmp_path}/injected'"
    async with provider(api, RUNPOD, idle_stop_command=command) as owner:
        assert (await owner.describe()).cost_per_hour == 0.44
        assert (await owner.stop()).done
    assert (tmp_path / "did").read_text().startswith("stop a b; touch")
    assert not (tmp_path / "injected").exists()
    assert api.calls() == []


@pytest.mark.parametrize(
    ("code", "words"), [("import sys; print('no luck'); sys.exit(3)", "exit 3: no luck"), ("import time; time.sleep(60)", "did not end")]
)  # fmt: skip
async def test_command_that_fails_or_hangs_is_tried_again(api: FakeProviders, code: str, words: str) -> None:
    command = f'{sys.executable} -S -c "{code}"'
    async with provider(api, {"PATH": "/bin"}, idle_stop_command=command, **SOON) as owner:
        result = await owner.stop()
    assert not result.done
    assert len(result.attempts) == 3
    assert words in result.words


def test_command_that_cannot_be_read_is_an_error() -> None:
    for text in ("'open", "   "):
        with pytest.raises(ConfigError):
            detect({}, Settings(idle_stop_command=text), Proxies())


async def test_nobody_stops_nothing(api: FakeProviders) -> None:
    serverless = {**RUNPOD, "RUNPOD_ENDPOINT_ID": "ep"}
    for environment in ({}, serverless, {"CONTAINER_ID": "1"}, {"VAST_CONTAINERLABEL": "C.x"}):
        async with provider(api, environment) as nobody:
            assert nobody.name == "none"
            assert not (await nobody.stop()).done
    assert api.asked == []


def test_providers_own_hosts_are_the_only_ones() -> None:
    runpod = detect(RUNPOD, Settings(), Proxies())
    assert all("api.runpod.io" in step or step.startswith("runpodctl") for step in runpod.plan())
    with pytest.raises(ConfigError):
        detect(RUNPOD, Settings(runpod_api_url="ftp://x"), Proxies())


def test_shell_that_came_by_ssh_finds_the_providers_variables(tmp_path: Path) -> None:
    first = tmp_path / "environ"
    first.write_bytes(b"RUNPOD_POD_ID=abc\0RUNPOD_API_KEY=k\0HOME=/elsewhere\0LD_PRELOAD=x\0")
    found = completed_environment({"HOME": "/root", "RUNPOD_API_KEY": "own"}, first)
    assert found == {"HOME": "/root", "RUNPOD_API_KEY": "own", "RUNPOD_POD_ID": "abc"}
    assert completed_environment({"A": "1"}, tmp_path / "none") == {"A": "1"}
