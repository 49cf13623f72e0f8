"""A real pod: ComfyUI, JupyterLab and copyparty brought up by `comfystow pod up` on a folder as volume, and its end."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.server_routes.password import cookie_of
from hub.server import Hub
from support.comfyui import hub_environment
from support.leftovers import marked_pids
from support.pods import RunningPod
from support.setup.workshop import ComfyInstall

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(600)]

VAE = "hf://Comfy-Stow/taesd-demo/taesd.safetensors"
LORA = "hf://Comfy-Stow/lora-demo/stow_style.safetensors"
BIG = "hf://Comfy-Stow/big-models/big_64mib.safetensors"
ELSEWHERE = {"Host": "pod.example", "X-Forwarded-For": "192.0.2.7"}


@pytest.fixture(scope="module")
def pod(comfyui_home: ComfyInstall, running_hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPod]:
    """Give a pod with a manifest, and models that an earlier template left on its volume."""
    volume = tmp_path_factory.mktemp("volume")
    older = volume / "ComfyUI" / "models" / "loras" / "older.safetensors"
    older.parent.mkdir(parents=True)
    older.write_bytes(b"\2\0\0\0\0\0\0\0{}")
    (volume / "models.yaml").write_text(
        f"version: 1\nmodels:\n  - {{source: {VAE}, folder: vae}}\n"
        f"  - {{source: {LORA}, folder: loras, before: true}}\n  - {{source: {BIG}, folder: diffusion_models}}\n"
    )
    running_hub.reset()
    running_hub.fault("delay", origin="cdn", file="stow_style*", seconds=2)
    running_hub.fault("rate", origin="cdn", file="big_64mib*", bytes_per_second=100_000)
    made = RunningPod(
        comfyui_home,
        volume,
        {
            **hub_environment(running_hub),
            "RUNPOD_POD_ID": "abc123",
            "COMFYSTOW_IDLE_MODE": "off",
            "COMFYSTOW_CONNECTIONS_PER_DOWNLOAD": "2",
        },
    )
    try:
        yield made.up()
    finally:
        made.close()


def test_everything_that_can_run_is_ready(pod: RunningPod) -> None:
    state = pod.state()
    assert state["code"] == 0
    assert state["healthy"]
    assert {row["name"]: row["state"] for row in state["services"]} == {
        "comfyui": "ready", "jupyter": "ready", "files": "ready", "ssh": "off",
    }  # fmt: skip
    assert pod.service("ssh")["reason"] == "no key was given (PUBLIC_KEY)"
    assert state["provider"] == "runpod"
    port = pod.ports["comfyui"]
    assert pod.service("comfyui")["url"] == f"https://abc123-{port}.proxy.runpod.net"
    report = json.loads((pod.volume / "user" / "__comfystow" / "boot-report.json").read_text())
    assert {line["what"] for line in report["boot"]} >= {"ComfyUI", "JupyterLab", "volume", "models to fetch"}


def test_comfyui_starts_while_models_are_missing_but_not_before_those_that_must_be_there(pod: RunningPod) -> None:
    """The large file comes at 0.2 MB/s: ComfyUI was ready long before it."""
    started = pod.service("comfyui")["started_at"]
    lora, big = (
        pod.volume / "models" / name
        for name in ("loras/stow_style.safetensors", "diffusion_models/big_64mib.safetensors")
    )
    assert lora.stat().st_mtime <= started + 0.5
    assert "it waits for models that must be there first" in pod.log
    assert not big.exists()
    assert pod.line("models to fetch")["detail"].startswith("2 of 3")
    assert pod.service("jupyter")["started_at"] < started


def test_comfyui_lists_models_of_the_volume_and_what_an_earlier_template_left(pod: RunningPod) -> None:
    assert pod.ask("comfyui", "/models/vae").json() == ["taesd.safetensors"]
    assert sorted(pod.ask("comfyui", "/models/loras").json()) == ["older.safetensors", "stow_style.safetensors"]
    folders = pod.ask("comfyui", "/internal/folder_paths").json()
    assert folders["diffusion_models"][0] == str(pod.volume / "models" / "diffusion_models")
    assert not (pod.volume / "models" / "loras" / "older.safetensors").exists()  # listed, and not copied


def test_folders_that_we_tell_the_engine_are_those_that_comfyui_lists(pod: RunningPod) -> None:
    told = json.loads((pod.volume / "user" / "__comfystow" / "layout.json").read_text())
    listed = pod.ask("comfyui", "/internal/folder_paths").json()
    folders = told.get("layout", told)["folders"]
    for name, directories in listed.items():
        if name in {"checkpoints", "loras", "vae", "text_encoders", "diffusion_models", "controlnet", "clip_vision"}:
            assert folders[name]["directories"] == directories, name


def test_a_shell_in_the_pod_finds_the_same_engine_and_folders(pod: RunningPod) -> None:
    done = pod.run("engine", "status", "--json")
    engine = json.loads(done.stdout)
    assert engine["state_dir"] == str(pod.volume / "user" / "__comfystow")
    assert os.getpriority(os.PRIO_PROCESS, engine["pid"]) == 10  # behind ComfyUI, whoever started it
    plan = pod.run("get", "hf://Comfy-Stow/taesd-demo/vae/taesd_copy.safetensors", "--to", "vae", "--dry-run", "--json")
    assert json.loads(plan.stdout)[0]["to"] == str(pod.volume / "models" / "vae" / "taesd_copy.safetensors")


def test_passwords_are_shown_once_kept_to_their_owner_and_in_no_argument(pod: RunningPod) -> None:
    words = [*pod.passwords.values(), pod.secret]
    for word in words:
        assert pod.log.count(word) == 1
    for name in ("pod-passwords.json", "access-secret"):
        assert stat.S_IMODE((pod.volume / "user" / "__comfystow" / name).stat().st_mode) == 0o600
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        assert not any(word in line for word in words), process
    assert not any(
        word in path.read_text(errors="replace")
        for word in words
        for path in (pod.run_dir / "r" / "pod" / "logs").iterdir()
    )


def test_services_ask_for_their_passwords(pod: RunningPod) -> None:
    token, password = pod.passwords["jupyter"], pod.passwords["files"]
    assert pod.ask("jupyter", "/api/status").status == 403
    assert pod.ask("jupyter", "/api/status", headers={"Authorization": f"token {token}"}).status == 200
    assert pod.ask("files", "/?ls").json()["files"] == []
    assert pod.ask("files", "/models.yaml").status in {401, 403}
    assert pod.ask("files", "/models.yaml", headers={"PW": password}).status == 200
    hidden = pod.ask("files", "/user/__comfystow/access-secret", headers={"PW": password})
    assert hidden.status in {403, 404}
    assert pod.secret.encode() not in hidden.body


def test_comfyui_asks_for_the_access_secret_unless_on_this_machine(pod: RunningPod) -> None:
    assert pod.ask("comfyui", "/queue").status == 200
    refused = pod.ask("comfyui", "/queue", headers=ELSEWHERE)
    assert (refused.status, refused.json()["error"]["code"]) == (401, "secret_required")
    page = pod.ask("comfyui", "/", headers={**ELSEWHERE, "Accept": "text/html"})
    assert page.status == 401
    assert b"/comfystow/login" in page.body
    for headers in (
        {"X-ComfyStow-Secret": pod.secret},
        {"Authorization": f"Bearer {pod.secret}"},
    ):
        assert pod.ask("comfyui", "/queue", headers={**ELSEWHERE, **headers}).status == 200
    assert pod.ask("comfyui", "/queue", headers={**ELSEWHERE, "X-ComfyStow-Secret": "wrong"}).status == 401


def test_page_that_gives_the_secret_gets_a_cookie_that_no_other_origin_can_use(pod: RunningPod) -> None:
    form = {**ELSEWHERE, "Content-Type": "application/x-www-form-urlencoded"}
    assert pod.ask("comfyui", "/comfystow/login", "POST", b"password=wrong", headers=form).status == 401
    # urllib follows the redirect; what counts is the cookie of the answer before it.
    answer = raw_login(pod, pod.secret)
    assert answer.startswith("HTTP/1.1 303")
    cookie = (
        next(line for line in answer.splitlines() if line.lower().startswith("set-cookie:"))
        .split(":", 1)[1]
        .split(";")[0]
        .strip()
    )
    assert "HttpOnly" in answer
    assert pod.secret not in answer
    with_cookie = {**ELSEWHERE, "Cookie": cookie}
    assert pod.ask("comfyui", "/queue", headers=with_cookie).status == 200
    assert pod.ask("comfyui", "/comfystow/v1/downloads", headers=with_cookie).status == 200
    neighbour = {**with_cookie, "Origin": "https://evil-8188.proxy.runpod.net", "Sec-Fetch-Site": "same-site"}
    assert pod.ask("comfyui", "/queue", headers=neighbour).status == 403
    own = {**with_cookie, "Origin": f"https://abc123-{pod.ports['comfyui']}.proxy.runpod.net"}
    assert pod.ask("comfyui", "/queue", headers=own).status == 200


def raw_login(pod: RunningPod, secret: str) -> str:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", pod.ports["comfyui"], timeout=30)
    connection.request(
        "POST",
        "/comfystow/login",
        f"password={secret}",
        {**ELSEWHERE, "Content-Type": "application/x-www-form-urlencoded"},
    )
    response = connection.getresponse()
    text = f"HTTP/1.1 {response.status}\n" + "\n".join(f"{name}: {value}" for name, value in response.getheaders())
    connection.close()
    return text


def test_engine_shows_the_pod_and_passes_orders_on(pod: RunningPod) -> None:
    shown = pod.ask("comfyui", "/comfystow/v1/pod").json()
    assert shown["present"]
    assert [row["name"] for row in shown["services"]] == ["comfyui", "jupyter", "files", "ssh"]
    ours = {"X-ComfyStow": "1"}
    stopped = pod.ask("comfyui", "/comfystow/v1/pod/services/files/stop", "POST", {}, headers=ours)
    assert (stopped.status, stopped.json()["state"]) == (200, "stopped")
    assert pod.state()["code"] == 0  # somebody wished so
    assert pod.ask("comfyui", "/comfystow/v1/pod/services/files/start", "POST", {}, headers=ours).status == 200
    pod.until(lambda: pod.service("files")["state"] == "ready", "the file service")
    missing = pod.ask("comfyui", "/comfystow/v1/pod/services/nothing/stop", "POST", {}, headers=ours)
    assert missing.status == 404
    off = pod.ask("comfyui", "/comfystow/v1/pod/services/ssh/start", "POST", {}, headers=ours)
    assert (off.status, off.json()["error"]["message"]) == (409, "SSH cannot run here: no key was given (PUBLIC_KEY)")


def test_metrics_tell_the_services(pod: RunningPod) -> None:
    def scraped() -> str:
        return str(pod.ask("comfyui", "/comfystow/v1/metrics").body.decode())

    up = [f'comfystow_service_up{{service="{name}"}} 1.0' for name in ("comfyui", "jupyter", "files")]
    # The engine is told of a change a moment after the controller has seen it.
    pod.until(lambda: all(line in scraped() for line in up), "the metrics of the services")
    text = scraped()
    assert 'comfystow_service_restarts_total{service="comfyui"} 0.0' in text
    assert 'service="ssh"' not in text


def test_who_guesses_the_secret_has_to_wait_and_who_has_the_cookie_need_not(pod: RunningPod) -> None:
    cookie = f"comfystow_access={cookie_of(pod.secret)}"
    wrong = {**ELSEWHERE, "Authorization": "Bearer wrong"}
    statuses = [pod.ask("comfyui", "/queue", headers=wrong).status for _ in range(9)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    form = {**ELSEWHERE, "Content-Type": "application/x-www-form-urlencoded"}
    page = pod.ask("comfyui", "/comfystow/login", "POST", f"password={pod.secret}".encode(), headers=form)
    assert b"too many wrong access secrets" in page.body
    assert pod.ask("comfyui", "/queue", headers={**ELSEWHERE, "Cookie": cookie}).status == 200


def test_doctor_examines_the_pod_over_http_and_from_a_shell(pod: RunningPod) -> None:
    before = {path: path.stat().st_mtime_ns for path in (pod.volume, pod.volume / "models")}
    findings = pod.ask("comfyui", "/comfystow/v1/pod/doctor", timeout_seconds=100).json()["findings"]
    assert {path: path.stat().st_mtime_ns for path in before} == before  # GET changes nothing
    told = {(row["check"], row["state"]) for row in findings}
    assert {("services", "ok"), ("passwords", "ok"), ("arguments", "ok"), ("clock", "ok"), ("layout", "ok")} <= told
    assert ("quota", "unknown") in told
    assert not [row for row in findings if row["state"] == "bad"]
    done = pod.run("pod", "doctor", "--json")
    data = json.loads(done.stdout)
    assert (done.returncode, data["healthy"]) == (0, True)
    assert ("quota", "ok") in {(row["check"], row["state"]) for row in data["findings"]}


def test_second_pod_on_one_machine_is_refused(pod: RunningPod) -> None:
    done = pod.run("pod", "up")
    assert done.returncode == 1
    assert "a pod runs on this machine already" in done.stderr


def test_killed_comfyui_comes_back_and_jupyter_stays(pod: RunningPod) -> None:
    comfyui, jupyter = pod.service("comfyui"), pod.service("jupyter")
    os.kill(comfyui["pid"], signal.SIGKILL)
    pod.until(lambda: pod.service("comfyui")["restarts"] == 1 and pod.service("comfyui")["state"] == "ready", "ComfyUI")
    after = pod.service("jupyter")
    assert (after["pid"], after["restarts"]) == (jupyter["pid"], 0)
    assert pod.service("comfyui")["last_exit"] == "a signal ended it"
    assert pod.ask("comfyui", "/models/vae").json() == ["taesd.safetensors"]


def test_term_ends_everything_and_the_next_start_goes_on(pod: RunningPod) -> None:
    """The last test of this pod: engine, services and what they started are gone, and no password is shown twice."""
    assert pod.end() == 0, pod.log[-3000:]
    assert not {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in marked_pids(pod._mark)}
    assert pod.run("pod", "health").returncode == 1
    parts = list((pod.volume / "models" / "diffusion_models").glob("*.part"))
    assert len(parts) == 1  # what was under way goes on at the next start
    before = len(pod.log)
    pod.env["COMFYSTOW_SERVICES"] = "files"
    pod.up()
    assert pod.secret not in pod.log[before:]
    assert pod.passwords["files"] not in pod.log[before:]
    pod.until(lambda: "2 of 3" in str(pod.state()["boot"]), "word of the models")
