"""Scans of real folders: what is found, what is opened, and what bad input does."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import pytest
from comfystow.core.library.index import crew as crew_module
from comfystow.core.library.index import scan as scan_module
from comfystow.core.library.index.examine import Seen, look_into
from comfystow.core.records.library import LibraryFilter, ScanReport
from comfystow.core.records.model import Folder
from support.rights import held_by_modes
from support.shelves import SUFFIXES, Shelf, safetensors


def _codes(report: ScanReport) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in report.problems:
        found.setdefault(problem.code, []).append(Path(problem.path).name)
    return found


def test_only_new_and_changed_files_are_opened(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bytes] = []

    def counting(path: bytes, size_bytes: int) -> Seen:
        opened.append(path)
        return look_into(path, size_bytes)

    monkeypatch.setattr(scan_module, "look_into", counting)
    first, second = shelf.put("loras/a.safetensors"), shelf.put("loras/deep/b.safetensors", safetensors(16))
    assert shelf.scan().added == 2
    assert len(opened) == 2
    assert shelf.scan().added == 0
    assert len(opened) == 2

    second.write_bytes(safetensors(32))
    os.utime(second, (time.time() - 30,) * 2)
    first.unlink()
    report = shelf.scan()

    assert (report.changed, report.gone, report.folders) == (1, 1, ("loras",))
    assert len(opened) == 3
    (file,) = shelf.index.page(LibraryFilter()).files
    assert (file.relative_path, file.precision, file.parameters, file.vram_bytes) == (
        "deep/b.safetensors",
        "fp16",
        32,
        64,
    )


def test_a_moved_file_stays_the_same_file(shelf: Shelf) -> None:
    path = shelf.put("loras/a.safetensors")
    shelf.scan()
    before = shelf.index.by_path(path)
    assert before is not None
    (shelf.models / "vae/sub").mkdir()
    path.rename(shelf.models / "vae/sub/renamed.safetensors")

    report = shelf.scan()

    assert (report.moved, report.added, report.gone) == (1, 0, 0)
    after = shelf.index.get(before.id)
    assert after is not None
    assert (after.folder_name, after.relative_path) == ("vae", "sub/renamed.safetensors")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.safetensors", b"", "it is empty"),
        ("cut.safetensors", safetensors(100)[:-7], "its header accounts for"),
        ("long.safetensors", struct.pack("<Q", 5000) + b"{}", "its header ends at 5008"),
        ("page.safetensors", b"<!DOCTYPE html><html>log in</html>", "a web page"),
        ("junk.gguf", b"GGUF\x03\x00\x00\x00" + b"\xff" * 16, "claims"),
        ("cut.pt", b"PK\x03\x04" + bytes(500), "the end of the archive is missing"),
    ],
)
def test_damage_is_said_and_the_rest_goes_on(shelf: Shelf, name: str, content: bytes, says: str) -> None:
    shelf.put(f"vae/{name}", content)
    shelf.put("vae/whole.safetensors")
    assert shelf.scan().damaged == 1
    (file,) = shelf.index.page(LibraryFilter(damaged=True)).files
    assert file.name == name
    assert says in (file.damaged or "")
    assert shelf.names() == sorted([name, "whole.safetensors"])


def test_odd_names_are_indexed_and_told(shelf: Shelf) -> None:
    odd = [
        "new\nline.safetensors",
        "🦊 модель.safetensors",
        "x" * 243 + ".safetensors",
        "Twin.safetensors",
        "twin.safetensors",
    ]
    for name in odd:
        shelf.put(f"loras/{name}")
    raw = os.fsencode(shelf.models / "loras") + b"/\xff\xfe.safetensors"
    with open(raw, "wb") as file:
        file.write(safetensors())
    os.utime(raw, (1, 1))

    report = shelf.scan()

    assert report.added == 6
    codes = _codes(report)
    assert sorted(codes["case_twin"]) == ["Twin.safetensors", "twin.safetensors"]
    assert sorted(codes["bad_name"]) == ["new\nline.safetensors", "��.safetensors"]
    assert {os.fsencode(file.path) for file in shelf.index.each(LibraryFilter())} == {
        raw,
        *(os.fsencode(shelf.models / "loras" / name) for name in odd),
    }
    assert shelf.scan().changed == 0


def test_links_and_roots_that_meet_are_looked_at_once(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put("loras/a.safetensors")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.safetensors").write_bytes(safetensors())
    os.utime(outside / "b.safetensors", (1, 1))
    (shelf.models / "loras/loop").symlink_to(shelf.models / "loras")
    (shelf.models / "loras/up").symlink_to(shelf.models)
    (shelf.models / "loras/out").symlink_to(outside)
    (shelf.models / "loras/out2").symlink_to(outside)
    (outside / "back").symlink_to(shelf.models / "loras")
    (shelf.models / "loras/gone").symlink_to(tmp_path / "nowhere")
    (shelf.models / "loras/gone.safetensors").symlink_to(tmp_path / "nowhere.safetensors")
    (tmp_path / "alias").symlink_to(shelf.models / "loras")
    inner = shelf.models / "loras/inner"
    inner.mkdir()
    shelf.put("loras/inner/c.safetensors")
    shelf.folders["more"] = Folder(directories=(tmp_path / "alias", inner), suffixes=SUFFIXES)

    report = shelf.scan()

    files = {(file.folder_name, file.relative_path) for file in shelf.index.each(LibraryFilter())}
    assert files == {("loras", "a.safetensors"), ("loras", "out/b.safetensors"), ("more", "c.safetensors")}
    codes = _codes(report)
    assert sorted(codes["elsewhere"]) == ["back", "loop", "out2", "up"]
    assert sorted(codes["dangling"]) == ["gone", "gone.safetensors"]
    assert shelf.names(folder="more") == ["a.safetensors", "c.safetensors", "out/b.safetensors"]


def test_a_file_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, settle_seconds=0.3)
    path = shelf.put("loras/a.safetensors", safetensors()[:40], age_seconds=0)
    shelf.put("loras/b.safetensors.part", b"x")
    report = shelf.scan()
    assert (report.added, report.pending, shelf.names()) == (0, 1, [])
    path.write_bytes(safetensors())
    assert shelf.scan().pending == 1
    time.sleep(0.35)
    assert shelf.scan().added == 1
    # A volume whose clock is ahead: what has not changed between two looks is whole.
    shelf.put("loras/ahead.safetensors", age_seconds=-3600)
    assert shelf.scan().pending == 1
    time.sleep(0.35)
    assert shelf.scan().added == 1
    shelf.index.close()


def test_a_volume_that_vanishes_keeps_its_rows(shelf: Shelf) -> None:
    shelf.put("loras/a.safetensors")
    shelf.put("vae/b.safetensors")
    shelf.scan()
    away = shelf.models / "away"
    (shelf.models / "loras").rename(away)
    report = shelf.scan()
    assert report.gone == 0
    assert _codes(report) == {"unavailable": ["loras"]}
    assert [(file.name, file.available) for file in shelf.index.each(LibraryFilter())] == [
        ("a.safetensors", False),
        ("b.safetensors", True),
    ]
    away.rename(shelf.models / "loras")
    assert shelf.scan().added == 0
    assert all(file.available for file in shelf.index.each(LibraryFilter()))


def test_an_unreadable_folder_keeps_its_rows(shelf: Shelf) -> None:
    shelf.put("loras/closed/a.safetensors")
    shelf.put("loras/open.safetensors")
    shelf.scan()
    (shelf.models / "loras/closed").chmod(0)
    with held_by_modes():
        report = shelf.scan()
    assert _codes(report) == {"unreadable": ["closed"]}
    assert {file.name: file.available for file in shelf.index.each(LibraryFilter())} == {
        "a.safetensors": False,
        "open.safetensors": True,
    }
    (shelf.models / "loras/closed").chmod(0o755)
    assert shelf.scan().gone == 0


def test_many_files_are_looked_into_by_helpers_and_one_that_dies_is_replaced(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(450):
        shelf.put(f"loras/{number:03}.safetensors", safetensors(8 + number))
    shelf.put("loras/broken.safetensors", b"")
    started = []

    def start(look):
        started.append(_start(look))
        if len(started) == 1:
            started[0].kill()
        return started[-1]

    _start = crew_module._start
    monkeypatch.setattr(crew_module, "_start", start)
    report = shelf.scan()

    assert (report.added, report.damaged) == (451, 1)
    assert started
    assert all(child.returncode is not None for child in started)
    files = {file.name: file.parameters for file in shelf.index.each(LibraryFilter())}
    assert files == {"broken.safetensors": None} | {f"{number:03}.safetensors": 8 + number for number in range(450)}


def test_a_mount_point_without_its_volume_is_no_empty_folder(shelf: Shelf) -> None:
    """Device numbers stand for mounts here: what a scan has seen of them is changed between two scans."""
    path = shelf.put("loras/a.safetensors")
    below = shelf.put("vae/nas/b.safetensors")
    shelf.put("vae/c.safetensors")
    shelf.scan()
    path.unlink()
    below.unlink()
    with shelf.index.write() as connection:
        connection.execute("UPDATE library_roots SET device = device + 1 WHERE folder_names LIKE '%loras%'")
        connection.execute("UPDATE library_files SET device = device + 2 WHERE folded LIKE 'nas/%'")
    report = shelf.scan()
    assert report.gone == 0
    assert _codes(report) == {"unavailable": ["loras"]}
    assert {file.name: file.available for file in shelf.index.each(LibraryFilter())} == {
        "a.safetensors": False,
        "b.safetensors": False,
        "c.safetensors": True,
    }


def test_a_folder_whose_files_were_deleted_is_empty(shelf: Shelf) -> None:
    path = shelf.put("loras/a.safetensors")
    shelf.scan()
    path.unlink()
    assert shelf.scan().gone == 1
    assert shelf.names() == []
