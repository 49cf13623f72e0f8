"""A file that has its name already, or gets it while we take the lease: recognised, never fetched again, never lost."""

from __future__ import annotations

import pytest
from comfystow.core.errors import NameTakenError
from comfystow.core.transfer.part.part import Part
from support.transfers import job, left_behind, resolved, sha256_of

SIZE = 2_000_000


@pytest.fixture
def brought_meanwhile(monkeypatch, tmp_path):
    """Let another engine end in the moment before our lease: its file is there, its lease is free."""

    def bring(name: str, content: bytes) -> None:
        opened = Part.open

        def late(part: Part) -> None:
            (tmp_path / name).write_bytes(content)
            opened(part)

        monkeypatch.setattr(Part, "open", late)

    return bring


async def test_the_same_file_is_recognised_by_its_digest(engine, hub, tmp_path):
    row = hub.add_direct("there.bin", size_bytes=SIZE)
    file = resolved(row["url"], size_bytes=SIZE, sha256=row["sha256"])
    first = await engine.fetch(job(file, tmp_path / "there.bin"))
    sent = hub.bytes_sent("direct/there.bin")
    second = await engine.fetch(job(file, tmp_path / "there.bin"))
    assert (first.was_there, second.was_there) == (False, True)
    assert second.bytes_fetched == 0
    assert hub.bytes_sent("direct/there.bin") == sent


async def test_the_same_file_that_came_meanwhile_is_not_fetched(engine, hub, tmp_path, brought_meanwhile):
    row = hub.add_direct("late.bin", size_bytes=SIZE)
    file = resolved(row["url"], size_bytes=SIZE, sha256=row["sha256"])
    await engine.fetch(job(file, tmp_path / "first.bin"))
    sent = hub.bytes_sent("direct/late.bin")
    brought_meanwhile("late.bin", (tmp_path / "first.bin").read_bytes())
    result = await engine.fetch(job(file, tmp_path / "late.bin"))
    assert result.was_there
    assert sha256_of(tmp_path / "late.bin") == row["sha256"]
    assert hub.bytes_sent("direct/late.bin") == sent
    assert not [name for name in left_behind(tmp_path) if ".part" in name]


async def test_another_file_that_came_meanwhile_keeps_its_name(engine, hub, tmp_path, brought_meanwhile):
    row = hub.add_direct("other.bin", size_bytes=SIZE)
    brought_meanwhile("other.bin", b"somebody else's")
    with pytest.raises(NameTakenError):
        await engine.fetch(job(resolved(row["url"], size_bytes=SIZE, sha256=row["sha256"]), tmp_path / "other.bin"))
    assert (tmp_path / "other.bin").read_bytes() == b"somebody else's"
    assert hub.bytes_sent("direct/other.bin") == 0
    assert not [name for name in left_behind(tmp_path) if ".part" in name]
