"""A file system that is mounted read-only refuses even the removal of what is not there: the word is ours all the same."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.core.cli.lock import write_text
from comfystow.core.config import change_settings, load_settings
from comfystow.core.engine.installation import Installation
from comfystow.core.engine.secret import access_secret, keep_secret
from comfystow.core.errors import ReadOnlyError, StorageError
from comfystow.core.net.credentials import Credentials
from comfystow.core.pod.doctor.disks import quota
from comfystow.core.pod.doctor.examined import Examined
from comfystow.core.pod.start.volume import probe_volume


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder on a file system that is mounted read-only."""
    point = tmp_path_factory.mktemp("read-only")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(point)], check=True)
    yield point
    subprocess.run(["umount", "-l", str(point)], check=True)


def test_secrets_tokens_settings_and_locks_say_that_they_cannot_be_written(folder: Path) -> None:
    tokens = Credentials.load(load_settings({}), state_dir=folder, environment={})
    for write in (
        lambda: access_secret(folder),
        lambda: keep_secret(folder, "mine"),
        lambda: tokens.set("huggingface", "hf_abcdefghij"),
        lambda: change_settings(folder / "settings.json", {"parallel_downloads": 2}),
    ):
        with pytest.raises(ReadOnlyError, match="Read-only file system"):
            write()
    with pytest.raises(StorageError, match="Read-only file system"):
        write_text(folder / "models.lock", "version: 1\n")


def test_doctor_calls_it_bad(folder: Path) -> None:
    examined = Examined(
        settings=load_settings({}), installation=Installation(state_dir=folder), environment={}, volume=folder
    )
    (finding,) = quota(examined)
    assert (finding.state.value, finding.what) == ("bad", f"{folder} cannot be written: Read-only file system")
    assert probe_volume(folder).problem == "Read-only file system"
