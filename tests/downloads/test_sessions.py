"""Sessions: what several ComfyUIs have together, what outlives them, and what is never written."""

from __future__ import annotations

from pathlib import Path

from comfystow.core.records.model import Folder, FolderLayout
from comfystow.core.records.session import HostState, Session
from comfystow.core.sessions import SessionRegistry


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


def test_listeners_hear_of_every_change(tmp_path: Path) -> None:
    sessions, heard = SessionRegistry(tmp_path), []
    sessions.listen(lambda: heard.append(len(sessions.all())))
    sessions.attach(Session(server_id="one"))
    sessions.tell("one", HostState())
    sessions.detach("one")
    assert heard == [1, 1, 0]
