"""The queue on disk: what was kept is there after a kill, and a newer version's file is left alone."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from comfystow.core.downloads.store import DownloadStore
from comfystow.core.errors import ConfigError, StorageError
from comfystow.core.records.download import Download, DownloadRequest, DownloadState, ErrorInfo, WaitingFor
from comfystow.core.records.source import Digest

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import conftest
from comfystow.core.downloads.store import DownloadStore
from comfystow.core.records.download import Download, DownloadRequest, DownloadState
store = DownloadStore(Path(sys.argv[2]), network=sys.argv[3] == "network")
for number in range(100_000):
    row = Download(id=f"{number:06}", request=DownloadRequest(source="hf://a/b/c.gguf"), state=DownloadState.QUEUED,
                   source="hf://a/b/c.gguf", position=float(number))
    store.save([row], durable=number % 2 == 0)
    print(row.id, flush=True)
"""


def row(download_id: str = "one", **values: object) -> Download:
    base = Download(
        id=download_id,
        request=DownloadRequest(source="hf://a/b/c.safetensors", folder_name="vae"),
        state=DownloadState.QUEUED,
        source="hf://a/b/c.safetensors",
    )
    return replace(base, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("volume", ["local", "network"])
def test_what_was_saved_is_there_after_kill_9(tmp_path: Path, volume: str) -> None:
    tests = Path(__file__).resolve().parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tests), str(tmp_path), volume], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        promised = [writer.stdout.readline().strip() for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        promised += writer.stdout.read().split()
    store = DownloadStore(tmp_path, network=volume == "network")
    found = {download.id for download in store.load()}
    store.close()
    assert "000199" in promised
    assert [download_id for download_id in promised if len(download_id) == 6 and download_id not in found] == []


def test_a_row_comes_back_as_it_was(tmp_path: Path) -> None:
    written = row(
        state=DownloadState.WAITING,
        waiting_for=WaitingFor.TOKEN,
        error=ErrorInfo(code="token_required", message="no", hint="yes"),
        digest=Digest("sha256", "0" * 64),
        dest_path="/models/vae/c.safetensors",
        bytes_total=None,
    )
    store = DownloadStore(tmp_path)
    store.save([written])
    assert store.load() == [written]
    store.close()


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    store = DownloadStore(tmp_path)
    store.save([row()])
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE parts SET version = 99 WHERE name = 'downloads'")
    connection.close()
    before = store.path.read_bytes()
    with pytest.raises(ConfigError, match="newer ComfyStow") as refused:
        DownloadStore(tmp_path)
    assert "update" in (refused.value.hint or "")
    assert store.path.read_bytes() == before


def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "comfystow.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="cannot be used"):
        DownloadStore(tmp_path)
    assert path.read_bytes() == b"no database at all" * 100


def test_a_row_of_a_later_form_loses_only_what_we_do_not_know(tmp_path: Path) -> None:
    store = DownloadStore(tmp_path)
    store.save([row("good"), row("bad"), row("later")])
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE downloads SET record = '{}' WHERE id = 'bad'")
        record = connection.execute("SELECT record FROM downloads WHERE id = 'later'").fetchone()[0]
        changed = json.dumps({**json.loads(record), "unheard_of": 1})
        connection.execute("UPDATE downloads SET record = ? WHERE id = 'later'", (changed,))
    connection.close()
    store = DownloadStore(tmp_path)
    assert {download.id for download in store.load()} == {"good", "later"}
    store.close()


def test_a_network_volume_has_a_file_for_each_machine_and_no_wal(tmp_path: Path) -> None:
    local, network = DownloadStore(tmp_path, network=False), DownloadStore(tmp_path, network=True)
    modes = {}
    for store in (local, network):
        store.save([row()])
        with sqlite3.connect(store.path) as connection:
            modes[store.path] = connection.execute("PRAGMA journal_mode").fetchone()[0]
        connection.close()
        store.close()
    assert local.path == tmp_path / "comfystow.sqlite"
    assert network.path.parent.parent == tmp_path / "hosts"
    assert modes == {local.path: "wal", network.path: "delete"}  # TRUNCATE is a mode of a connection, not of the file
    assert not list(network.path.parent.glob("*-wal"))


def test_only_its_owner_can_read_the_queue(tmp_path: Path) -> None:
    store = DownloadStore(tmp_path / "state")
    store.save([row()])
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    store.close()
    assert set(modes.values()) == {0o600}
    assert "comfystow.sqlite" in modes
