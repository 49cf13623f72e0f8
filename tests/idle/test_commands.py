"""`comfystow pod stop` and `comfystow pod template`, as processes, against the providers' APIs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.engines import comfystow
from support.providers import KEY, POD, FakeProviders, Fault

IMAGE = "example.com/comfystow:1"


def environment(api: FakeProviders, tmp_path: Path, **more: str) -> dict[str, str]:
    numbers = {"TRIES": "2", "PAUSE_SECONDS": "0.01", "TIMEOUT_SECONDS": "2", "CONFIRM_SECONDS": "0.1"}
    return {
        "HOME": str(tmp_path), "COMFYSTOW_RUNPOD_API_URL": api.url, "RUNPOD_POD_ID": POD, "RUNPOD_API_KEY": KEY,
        **{f"COMFYSTOW_PROVIDER_{name}": value for name, value in numbers.items()}, **more,
    }  # fmt: skip


def test_stop_says_what_it_did(api: FakeProviders, tmp_path: Path) -> None:
    done = comfystow("pod", "stop", cwd=tmp_path, env=environment(api, tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"runpod {POD}: RUNNING, $0.44 / h"
    assert "API v2: HTTP 200" in done.stdout
    assert api.stops == 1
    assert KEY not in done.stdout + done.stderr


def test_dry_run_changes_nothing(api: FakeProviders, tmp_path: Path) -> None:
    done = comfystow("pod", "stop", "--dry-run", "--json", cwd=tmp_path, env=environment(api, tmp_path))
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert api.calls() == []
    assert told["machine"]["cost_per_hour"] == 0.44
    assert told["steps"][0] == f'POST {api.url}/v2/pods/{POD}/action {{"action": "stop"}}'
    assert KEY not in done.stdout + done.stderr


def test_failure_is_exit_1_with_every_attempt(api: FakeProviders, tmp_path: Path) -> None:
    api.fail("rest", 500, 500)
    api.fail("graphql", 401)
    done = comfystow("pod", "stop", "--json", cwd=tmp_path, env=environment(api, tmp_path, PATH="/nowhere"))
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert [attempt["status"] for attempt in told["attempts"]] == [500, 500, 401, None]
    assert KEY not in done.stdout + done.stderr


def test_machine_of_nobody_is_not_stopped(tmp_path: Path) -> None:
    done = comfystow("pod", "stop", cwd=tmp_path, env={"HOME": str(tmp_path)})
    assert done.returncode == 1
    assert "COMFYSTOW_IDLE_STOP_COMMAND" in done.stderr


def template(api: FakeProviders | None, tmp_path: Path, *words: str, **more: str) -> tuple[int, dict[str, Any], str]:
    env = {"HOME": str(tmp_path), **more}
    if api is not None:
        env |= {"COMFYSTOW_RUNPOD_API_URL": api.url, "RUNPOD_API_KEY": KEY}
    done = comfystow("pod", "template", "--image", IMAGE, "--json", *words, cwd=tmp_path, env=env)
    return done.returncode, json.loads(done.stdout or "null"), done.stderr


def test_template_is_printed_without_a_key(tmp_path: Path) -> None:
    code, told, _ = template(None, tmp_path, "--env", "HF_TOKEN={{ RUNPOD_SECRET_hf }}")
    assert code == 0
    assert told["outcome"] is None
    assert told["template"]["ports"] == ["8188/http", "8888/http", "8080/http", "22/tcp"]
    assert told["template"]["env"] == {"HF_TOKEN": "{{ RUNPOD_SECRET_hf }}"}
    assert told["template"]["mounts"] == {"persistent": {"size": 50, "path": "/workspace"}}


def test_template_is_created_once_and_then_left_alone(api: FakeProviders, tmp_path: Path) -> None:
    assert template(api, tmp_path, "--dry-run")[1]["outcome"]["action"] == "created"
    assert api.templates == {}
    assert template(api, tmp_path)[1]["outcome"]["action"] == "created"
    assert template(api, tmp_path)[1]["outcome"]["action"] == "unchanged"
    assert api.calls() == ["POST /v2/templates"]


def test_template_is_updated_and_keeps_what_others_added(api: FakeProviders, tmp_path: Path) -> None:
    template(api, tmp_path)
    api.templates["tpl_1"]["env"] = {"MINE": "1"}
    api.templates["tpl_1"]["ports"].append("3000/http")
    code, told, _ = template(api, tmp_path, "--disk", "40", "--env", "A=b")
    assert code == 0
    assert set(told["outcome"]["changed"]) == {"disk", "env"}
    assert api.templates["tpl_1"]["disk"] == 40
    assert api.templates["tpl_1"]["env"] == {"MINE": "1", "A": "b"}
    assert "3000/http" in api.templates["tpl_1"]["ports"]


@pytest.mark.parametrize(("status", "code"), [(401, 4), (403, 4), (422, 1), (503, 7)])
def test_template_that_is_refused_says_why(api: FakeProviders, tmp_path: Path, status: int, code: int) -> None:
    api.fail("templates", Fault(status=status))
    returned, _, said = template(api, tmp_path)
    assert returned == code
    assert f"played {status}" in said
    assert KEY not in said


def test_template_that_runpod_would_refuse_is_wrong_use(tmp_path: Path) -> None:
    for words in (["--volume", "5"], ["--disk", "0"], ["--env", "1BAD=x"], ["--env", "NOVALUE"]):
        assert template(None, tmp_path, *words)[0] == 2
