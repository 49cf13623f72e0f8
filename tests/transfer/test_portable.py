"""Where the system has neither pread, nor locks, nor renames of open files: what Windows needs, tried out here."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from comfystow.core.errors import ChecksumMismatchError
from comfystow.core.publish import rename_without_replacing
from comfystow.core.transfer.part import advisory
from support.transfers import job, left_behind, resolved, sha256_of

SIZE = 12_000_000


def open_here(folder: Path) -> list[str]:
    """Return which files below a folder this process holds open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = link.readlink()
        except OSError:
            continue
        if target.is_relative_to(folder):
            found.append(target.name)
    return sorted(found)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what Windows lacks, and refuse to rename or delete what is open."""
    monkeypatch.delattr(os, "pread")
    monkeypatch.delattr(os, "pwrite")
    monkeypatch.delattr(os, "posix_fallocate")
    monkeypatch.setattr(advisory, "fcntl", None)
    unlink, replace = Path.unlink, Path.replace

    def refuse_open(path: Path) -> None:
        if path.name in open_here(tmp_path):
            raise PermissionError(13, "in use by a process", str(path))

    def rename(source: Path, dest: Path) -> None:
        refuse_open(source)
        rename_without_replacing(source, dest)

    def careful_unlink(self: Path, missing_ok: bool = False) -> None:
        refuse_open(self)
        unlink(self, missing_ok=missing_ok)

    def careful_replace(self: Path, target: Path) -> Path:
        refuse_open(self)
        return replace(self, target)

    monkeypatch.setattr("comfystow.core.transfer.transfer.rename_without_replacing", rename)
    monkeypatch.setattr(Path, "unlink", careful_unlink)
    monkeypatch.setattr(Path, "replace", careful_replace)


@pytest.mark.parametrize("network", [False, True], ids=["disk", "volume"])
async def test_file_comes_whole(engine, hub, tmp_path, elsewhere, monkeypatch, network):
    monkeypatch.setattr("comfystow.core.transfer.part.part.on_network", lambda path: network)
    row = hub.add_direct("portable.bin", size_bytes=SIZE)
    work = job(resolved(row["url"], size_bytes=SIZE, sha256=row["sha256"]), tmp_path / "portable.bin", connections=8)
    with hub.faulty("rate", file="portable.bin", bytes_per_second=3_000_000):
        task = asyncio.create_task(engine.fetch(work))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.wait([task])
    result = await engine.fetch(work)
    assert sha256_of(work.dest) == row["sha256"]
    assert result.bytes_fetched < SIZE
    assert left_behind(tmp_path) == ["portable.bin"]


async def test_wrong_bytes_are_put_aside(engine, hub, tmp_path, elsewhere):
    row = hub.add_direct("wrong.bin", size_bytes=1_000_000)
    with pytest.raises(ChecksumMismatchError):
        await engine.fetch(job(resolved(row["url"], sha256="0" * 64), tmp_path / "wrong.bin"))
    assert left_behind(tmp_path) == ["wrong.bin.part.bad"]
