"""Sessions: what several ComfyUIs have together, what outlives them, and what is never written."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from comfystow.core.config import Settings
from comfystow.core.downloads.network import Network, Networks
from comfystow.core.errors import ConfigError
from comfystow.core.records.download import DownloadState
from comfystow.core.records.model import Folder, FolderLayout
from comfystow.core.records.session import HostState, Session
from comfystow.core.sessions import SessionRegistry
from support.queues import Stage, reached, request


def layout(**folders: Folder) -> FolderLayout:
    return FolderLayout(folders=folders, base_path=Path("/comfy"))


def folder(*names: str, suffixes: tuple[str, ...] = (".safetensors",)) -> Folder:
    return Folder(directories=tuple(Path(name) for name in names), suffixes=frozenset(suffixes))


def test_the_layout_is_the_union_and_a_callers_own_goes_first(tmp_path: Path) -> None:
    sessions = SessionRegistry(tmp_path)
    one = Session(server_id="one", layout=layout(vae=folder("/a", "/b"), llm=folder("/llm", suffixes=())))
    two = Session(server_id="two", layout=layout(vae=folder("/b", "/c", suffixes=(".gguf",)), llm=folder("/llm")))
    sessions.attach(one)
    sessions.attach(two)
    together = sessions.layout().folders
    assert together["vae"] == folder("/a", "/b", "/c", suffixes=(".safetensors", ".gguf"))
    assert together["llm"].suffixes == frozenset()  # one of them lists every file of it
    assert sessions.layout_for(two) == two.layout
    assert sessions.layout_for(Session(server_id="bare")) == sessions.layout()


def test_the_last_layout_outlives_its_session_and_tokens_do_not(tmp_path: Path) -> None:
    sessions = SessionRegistry(tmp_path)
    told = Session(
        server_id="one",
        layout=layout(vae=folder("/a")),
        node_inputs={"VAELoader": {"vae_name": "vae"}},
        environment={"HF_TOKEN": "hf_secretsecret"},
    )
    sessions.attach(told)
    sessions.detach("one")
    later = SessionRegistry(tmp_path)
    assert later.layout() == told.layout
    assert later.node_inputs() == told.node_inputs
    assert later.last is not None
    assert later.last.saved_at > 0
    assert "hf_secretsecret" not in "".join(path.read_text() for path in tmp_path.iterdir())
    assert "hf_secretsecret" not in repr(told)


def test_a_command_takes_no_node_inputs_away(tmp_path: Path) -> None:
    sessions = SessionRegistry(tmp_path)
    learnt = {"VAELoader": {"vae_name": "vae"}}
    sessions.attach(Session(server_id="comfyui", layout=layout(vae=folder("/a")), node_inputs=learnt))
    sessions.detach("comfyui")
    sessions.attach(Session(server_id="command", layout=layout(vae=folder("/b"))))
    assert sessions.node_inputs() == learnt
    assert SessionRegistry(tmp_path).node_inputs() == learnt
    assert SessionRegistry(tmp_path).layout().folders["vae"] == folder("/b")


def test_a_damaged_layout_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "layout.json").write_text('{"layout": 5')
    sessions = SessionRegistry(tmp_path)
    assert sessions.layout() == FolderLayout()
    sessions.attach(Session(server_id="one", layout=layout(vae=folder("/a"))))
    assert SessionRegistry(tmp_path).layout().folders["vae"] == folder("/a")


def test_what_a_silent_host_did_is_unknown(tmp_path: Path) -> None:
    sessions = SessionRegistry(tmp_path, host_state_timeout_seconds=0.0)
    sessions.attach(Session(server_id="one"))
    sessions.tell("one", HostState(queue_running=1))
    assert sessions.state("one") is None
    assert not sessions.generating
    fresh = SessionRegistry(tmp_path)
    fresh.attach(Session(server_id="one"))
    fresh.tell("one", HostState(queue_running=1))
    assert fresh.generating
    fresh.tell("one", HostState(queue_running=1, waiting_for_models=True))
    assert not fresh.generating  # it generates nothing: it waits for us


def test_a_clock_that_jumps_makes_no_silent_host_speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = SessionRegistry(tmp_path, host_state_timeout_seconds=0.05)
    sessions.attach(Session(server_id="one"))
    sessions.tell("one", HostState(queue_running=1))
    monkeypatch.setattr(time, "time", lambda: 0.0)  # an hour back, and more
    time.sleep(0.1)
    assert not sessions.generating


def test_layouts_of_other_places_are_kept_a_few_of_them(tmp_path: Path) -> None:
    sessions = SessionRegistry(tmp_path)
    for number in range(12):
        place = FolderLayout(folders={"vae": folder(f"/{number}")}, base_path=Path(f"/comfy{number}"))
        sessions.attach(Session(server_id=f"command-{number}", layout=place))
    again = SessionRegistry(tmp_path)
    assert again.layout_for(None, "/comfy9").folders["vae"] == folder("/9")
    assert again.layout_for(None, "/comfy0") == again.layout()  # forgotten
    again.attach(Session(server_id="one", layout=layout(vae=folder("/a"))))
    again.attach(Session(server_id="visitor", layout=FolderLayout(folders={"vae": folder("/v")}, base_path=Path("/v"))))
    again.detach("visitor")
    assert again.layout_for(None, "/v").folders["vae"] == folder("/v")
    assert again.last is not None
    assert len(again.last.others) == 8


async def test_what_waits_in_the_queue_goes_to_its_callers_folders_after_a_restart(
    stage: Stage, tmp_path: Path
) -> None:
    other = Stage(stage.hub, tmp_path / "other")
    visitor = replace(other.session(), server_id="command-1")
    async with stage.runtime(parallel_downloads=0) as runtime:
        runtime.sessions.attach(visitor)
        theirs = await runtime.downloads.submit(request(), visitor)
        ours = await runtime.downloads.submit(request(filename="ours.safetensors"), stage.session())
        runtime.sessions.attach(stage.session())  # it came last
    async with stage.runtime() as runtime:
        for download in (theirs, ours):
            await reached(runtime, download.id, DownloadState.COMPLETED)
    assert (stage.files(), other.files()) == (["vae/ours.safetensors"], ["vae/taesd.safetensors"])


def test_listeners_hear_of_every_change(tmp_path: Path) -> None:
    sessions, heard = SessionRegistry(tmp_path), []
    sessions.listen(lambda: heard.append(len(sessions.all())))
    sessions.attach(Session(server_id="one"))
    sessions.tell("one", HostState())
    sessions.detach("one")
    assert heard == [1, 1, 0]


def test_callers_of_other_proxies_have_connections_of_their_own(tmp_path: Path) -> None:
    networks = Networks(Settings(), tmp_path, {})

    def network(**environment: str) -> Network:
        return networks.of(Session(server_id="a", layout=FolderLayout(), environment=environment))

    own = network()
    office, home = network(HTTPS_PROXY="http://proxy.office:3128"), network(HTTPS_PROXY="http://proxy.home:3128")
    assert own is networks.own
    assert len({id(own), id(office), id(home)}) == 3
    assert office is network(https_proxy="http://proxy.office:3128")
    assert network(HTTPS_PROXY="http://proxy.office:3128", NO_PROXY="huggingface.co") is not office
    with pytest.raises(ConfigError, match="ftp"):
        network(HTTPS_PROXY="ftp://proxy.office")


async def test_what_earlier_settings_opened_is_closed_when_no_download_runs_with_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comfystow.core.downloads.network._KEPT_SECONDS", 0.0)
    rule = stage.hub.fault("rate", file="taesd*", bytes_per_second=300_000)
    async with stage.runtime() as runtime:
        taken = await runtime.downloads.submit(request(connections=1))
        await reached(runtime, taken.id, lambda download: download.bytes_done > 0)
        for number in range(1, 9):
            await runtime.change_settings({"parallel_downloads": number})
        assert len(runtime.networks._retired) == 1
        stage.hub.clear_faults(rule)
        await reached(runtime, taken.id, DownloadState.COMPLETED)
        await runtime.change_settings({"parallel_downloads": 1})
        assert runtime.networks._retired == []
        done = await runtime.downloads.submit(request(filename="again.safetensors"))
        await reached(runtime, done.id, DownloadState.COMPLETED)
