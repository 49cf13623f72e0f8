"""Passwords, volumes, the owner's services, what is wanted, probes' answers, the boot report: each on real files."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
from comfystow.core.config import load_settings
from comfystow.core.errors import ConfigError, ManifestError
from comfystow.core.pod.services.extra import extra_rows
from comfystow.core.pod.services.passwords import kept_passwords, passwords_for
from comfystow.core.pod.services.probe import CommandProbe, HttpProbe, TcpProbe, failure_of
from comfystow.core.pod.services.service import Missing, Service
from comfystow.core.pod.start.machine import find_tcmalloc, packages_compiled, really_loaded
from comfystow.core.pod.start.prepare import holds_models, met
from comfystow.core.pod.start.report import BootReport, rendered, settled
from comfystow.core.pod.start.volume import find_volume, find_volume_within, probe_volume
from comfystow.core.pod.start.wanted import read_wishes
from comfystow.core.records.pod import BootState, ServiceState, ServiceStatus
from support.comfyui import free_port
from support.pod_bench import service
from support.rights import held_by_modes


def test_passwords_are_made_once_and_given_ones_are_not_kept(tmp_path: Path) -> None:
    first = passwords_for({"jupyter": None, "files": "mine"}, tmp_path)
    assert first.made == {"jupyter"}
    assert first.by_service["files"] == "mine"
    file = tmp_path / "pod-passwords.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "mine" not in file.read_text()
    again = passwords_for({"jupyter": None, "files": None}, tmp_path)
    assert again.made == {"files"}
    assert again.by_service["jupyter"] == first.by_service["jupyter"]
    assert len(set(again.by_service.values())) == 2
    assert min(map(len, again.by_service.values())) >= 24
    assert first.by_service["jupyter"] not in repr(first)


def test_passwords_that_cannot_be_kept_are_told(tmp_path: Path) -> None:
    assert probe_volume(tmp_path / ("x" * 300)).problem == "File name too long"  # one of those that `is_dir` raises
    tmp_path.chmod(0o500)
    with held_by_modes():
        made = passwords_for({"jupyter": None}, tmp_path)
    tmp_path.chmod(0o700)
    assert made.by_service["jupyter"]
    assert "Permission denied" in made.problem
    assert kept_passwords({"jupyter": None}, tmp_path).by_service["jupyter"] == ""


def test_volume_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    found = probe_volume(tmp_path)
    assert (found.writable, found.keeps_modes, found.chmod, found.chown, found.symlinks) == (True,) * 5
    assert list(tmp_path.iterdir()) == []


def test_read_only_and_missing_volumes_are_told(tmp_path: Path) -> None:
    assert probe_volume(tmp_path / "nothing").problem == "it is not there"
    assert probe_volume(tmp_path / ("x" * 300)).problem == "File name too long"  # one of those that `is_dir` raises
    tmp_path.chmod(0o500)
    with held_by_modes():
        found = probe_volume(tmp_path)
    tmp_path.chmod(0o700)
    assert (found.there, found.writable, found.problem) == (True, False, "Permission denied")


def test_given_volume_comes_before_the_usual_places(tmp_path: Path) -> None:
    places = (tmp_path / "workspace", tmp_path / "runpod-volume")
    assert find_volume(None, places) is None
    places[1].mkdir()
    assert find_volume(None, places) == places[1]
    places[0].mkdir()
    assert find_volume(None, places) == places[0]
    assert find_volume("/given", places) == Path("/given")


def test_place_that_hangs_is_taken_for_the_volume(tmp_path: Path, monkeypatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(Path, "is_dir", lambda self: answer.wait(60))
    assert find_volume_within(0.1, None, (tmp_path, tmp_path / "other")) == tmp_path
    answer.set()


def test_folder_holds_models_when_one_lies_in_it_or_right_below(tmp_path: Path) -> None:
    assert not holds_models(tmp_path)
    (tmp_path / "README.md").touch()
    (tmp_path / "flux").mkdir()
    assert not holds_models(tmp_path)
    (tmp_path / "flux" / "x.SafeTensors").touch()
    assert holds_models(tmp_path)


YAML = """services:
  - name: board
    title: TensorBoard
    command: [sh, -c, "exit 0"]
    port: 6006
    needs: [comfyui]
    environment: {COLOUR: "1"}
    check: {path: /health, status: 204}
  - {name: gone, command: [no-such-program-here], port: 7}
  - {name: worker, command: [sh], check: {command: [test, -e, /x]}}
"""


def test_owner_adds_services_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(YAML)
    board, gone, worker = extra_rows(str(file), {"PATH": "/bin", "JUPYTER_TOKEN": "secret"})
    assert isinstance(board, Service)
    assert board.probe == HttpProbe(port=6006, path="/health", status=204)
    assert board.needs == ("comfyui",)
    assert board.environment == {"PATH": "/bin", "COLOUR": "1"}
    assert isinstance(gone, Missing)
    assert gone.reason == "`no-such-program-here` is not installed"
    assert worker.probe == CommandProbe(words=("test", "-e", "/x"))
    assert [row.name for row in (board, gone, worker)] == ["board", "gone", "worker"]
    assert extra_rows(None, {}) == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("services: [{name: a}]", "needs a `command`"),
        ("services: [{name: A b, command: [sh], port: 1}]", "small letters"),
        ("services: [{name: jupyter, command: [sh], port: 1}]", "none of ours"),
        ("services: [{name: a, command: [sh]}]", "without a `port`"),
        ("services: [{name: a, command: [sh], port: 1, colour: red}]", "has no `colour`"),
        ("services: [{name: a, command: [], port: 1}]", "is empty"),
    ],
)
def test_mistake_in_that_file_names_its_line(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(text)
    with pytest.raises(ManifestError, match=problem) as error:
        extra_rows(str(file), {})
    assert "line 1" in error.value.message


@pytest.mark.parametrize(
    ("needs", "problem"),
    [(("b", "a"), "in a circle: a, b"), (("jupyter", "nobody"), "needs `nobody`, which is not there")],
)
def test_services_that_can_never_start_are_refused(tmp_path: Path, needs: tuple[str, str], problem: str) -> None:
    file = tmp_path / "services.yaml"
    rows = [
        f"{{name: {name}, command: [sh], port: 1, needs: [{need}]}}" for name, need in zip("ab", needs, strict=True)
    ]
    file.write_text(f"services: [{', '.join(rows)}]")
    with pytest.raises(ConfigError, match=problem):
        extra_rows(str(file), {})


def test_service_that_needs_one_that_is_off_is_off_too() -> None:
    rows = (
        Missing(name="a", title="A", reason="so"),
        service("b", needs=("a",)),
        service("c", needs=("b",)),
        service("d"),
    )
    after = met(rows)
    assert [type(row).__name__ for row in after] == ["Missing", "Missing", "Missing", "Service"]
    assert after[1].reason == "it needs A, which is off"


def settings(tmp_path: Path, **more: str):
    return load_settings({"COMFYSTOW_VOLUME": str(tmp_path), **more})


def test_manifest_of_the_volume_and_the_variable_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(
        "version: 1\nmodels:\n  - {source: 'hf://a/b/c.safetensors', before: true}\n  - hf://a/b/d.safetensors\n"
    )
    wishes = read_wishes(settings(tmp_path, COMFYSTOW_MODELS="hf://a/b/e.safetensors, loras=hf://a/b/f.safetensors"))
    assert wishes.problems == ()
    assert wishes.before
    assert [wish.before for wish in wishes.all] == [True, False]
    assert "e.safetensors" in wishes.all[1].body["manifest"]
    (tmp_path / "models.lock").write_text("version: 1\nmodels: []\n")
    assert list(read_wishes(settings(tmp_path)).all[0].body) == ["lock"]  # a lock beats a manifest


def test_mistake_in_a_manifest_hinders_no_other_wish(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("version: 1\nmodels:\n  - {source: 'hf://a/b/c.safetensors', colour: red}\n")
    wishes = read_wishes(settings(tmp_path, COMFYSTOW_MODELS="hf://a/b/e.safetensors"))
    assert len(wishes.all) == 1
    assert "line 3" in wishes.problems[0]
    gone = read_wishes(settings(tmp_path, COMFYSTOW_MANIFEST=str(tmp_path / "none.yaml")))
    assert "cannot be read" in gone.problems[0]


def test_probes_tell_what_is_wrong() -> None:
    port = free_port()
    assert failure_of(TcpProbe(port=port), 1) == f"nothing listens on port {port}"
    assert failure_of(CommandProbe(words=("sleep", "5")), 0.1) == "its check did not end within 0.1 s"
    assert "FileNotFoundError" in failure_of(CommandProbe(words=("/no/such",)), 1)


def test_report_settles_when_everything_came_up_or_showed_that_it_does_not() -> None:
    def status(state: ServiceState, **more: object) -> ServiceStatus:
        return ServiceStatus(name="a", title="A", state=state, **more)

    assert not settled([status(ServiceState.READY), status(ServiceState.STARTING)])
    assert not settled([status(ServiceState.WAITING)])
    assert settled([status(ServiceState.READY), status(ServiceState.OFF), status(ServiceState.BACKOFF)])
    assert settled([status(ServiceState.STARTING, last_exit="it ended with 1")])
    report = BootReport()
    report.say(BootState.WARN, "volume", "none")
    report.say(BootState.OK, "volume", "/workspace", 1.25)
    text = rendered(report.lines([status(ServiceState.READY, port=1, startup_seconds=2.0)]))
    assert text.splitlines() == ["  ok    volume  /workspace (1.2 s)", "  ok    A       ready on port 1 (2.0 s)"]


def test_only_the_mapping_tells_whether_a_library_was_loaded(tmp_path: Path) -> None:
    """A wrong LD_PRELOAD is a warning of the loader; images with tcmalloc in their settings and not in their files run on."""
    source, library = tmp_path / "a.c", tmp_path / "libprobe.so"
    source.write_text("int probe;")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    for preload, loaded in ((str(library), True), (str(tmp_path / "gone" / "libprobe.so"), False)):
        environment = {**os.environ, "LD_PRELOAD": preload}
        process = subprocess.Popen(["sleep", "20"], env=environment, stderr=subprocess.DEVNULL)
        try:
            # Until exec(2) it is still our own program; the loader maps what is preloaded before libc.
            name = Path(f"/proc/{process.pid}/comm")
            while name.read_text() != "sleep\n" or not really_loaded("libc.so", process.pid):
                time.sleep(0.01)
            assert really_loaded("libprobe.so", process.pid) is loaded
        finally:
            process.kill()
            process.wait()
    assert really_loaded("libc", 2**22 + 7) is None


def test_interpreter_with_compiled_packages_is_known(tmp_path: Path) -> None:
    package = tmp_path / "lib" / "python3.12" / "site-packages" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    python = str(tmp_path / "bin" / "python")
    assert not packages_compiled(python)
    (package / "__pycache__").mkdir()
    assert packages_compiled(python)
    assert find_tcmalloc() is None or find_tcmalloc().is_file()
