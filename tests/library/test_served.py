"""The library over a real engine: scans, lists and what callers see."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from comfystow.core.engine.sync_client import SyncEngineClient
from comfystow.core.errors import NotFoundHereError, UsageError
from support.engines import wait_for
from support.shelves import safetensors


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - 60,) * 2)


def _ask(client: SyncEngineClient, **query: object) -> dict:
    return client.call("GET", f"/library?{urlencode(query)}")


@pytest.fixture(scope="module")
def library(shared_client: SyncEngineClient, shared_models: Path) -> Iterator[SyncEngineClient]:
    for number in range(5):
        _put(shared_models / f"loras/style/item {number}.safetensors", safetensors(8 * (number + 1)))
    _put(shared_models / "vae/broken.safetensors", b"")
    os.link(shared_models / "loras/style/item 0.safetensors", shared_models / "vae/same.safetensors")
    report = shared_client.call("POST", "/library/scan")
    assert (report["added"], report["damaged"], report["folders"]) == (7, 1, ["loras", "vae"])
    return shared_client


def test_a_list_is_filtered_sorted_and_paged(library: SyncEngineClient) -> None:
    found = _ask(library, q="ITEM style", sort="size", descending="1", limit=2, offset=1)
    assert found["count"] == 5
    assert [row["name"] for row in found["files"]] == ["item 3.safetensors", "item 2.safetensors"]
    row = found["files"][0]
    assert (row["folder"], row["relative_path"], row["parameters"], row["vram_bytes"]) == (
        "loras",
        "style/item 3.safetensors",
        32,
        64,
    )
    assert row["path"].endswith("/loras/style/item 3.safetensors")
    totals = found["totals"]
    assert (totals["files"], totals["damaged"], totals["unidentified"], totals["scanning"]) == (7, 1, 7, None)
    sizes = {(row["name"], row["size_bytes"]) for row in _ask(library)["files"]}
    assert totals["bytes"] == sum(size for name, size in sizes if name != "same.safetensors")
    assert [row["name"] for row in _ask(library, damaged="1")["files"]] == ["broken.safetensors"]
    assert [row["links"] for row in _ask(library, folder="vae", q="same")["files"]] == [2]


def test_one_file_tells_all(library: SyncEngineClient) -> None:
    row = _ask(library, q="item 4")["files"][0]
    told = library.call("GET", f"/library/{row['id']}")
    assert {**told, **row} == told
    assert (told["format"], told["symlink"], told["digest_origin"]) == ("safetensors", False, None)
    with pytest.raises(NotFoundHereError):
        library.call("GET", "/library/99999")
    with pytest.raises(NotFoundHereError):
        library.call("GET", "/library/x")


@pytest.mark.parametrize("query", [{"limit": "-1"}, {"offset": "x"}, {"sort": "luck"}, {"root": "1e9"}])
def test_a_wrong_question_is_refused(library: SyncEngineClient, query: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        _ask(library, **query)


def _work(client: SyncEngineClient, name: str) -> dict:
    return wait_for(lambda: (work := client.call("GET", "/library/work")) and not work[name]["running"] and work)


def test_works_are_begun_and_say_how_they_ended(library: SyncEngineClient) -> None:
    chosen = _ask(library, q="item 1")["files"][0]
    assert library.call("POST", "/library/verify", {"ids": [chosen["id"]]})["verify"]["running"]
    report = _work(library, "verify")["verify"]["report"]
    assert (report["headers"], report["read"], report["damaged"], report["cancelled"]) == (1, 1, [], False)
    assert _ask(library, q="item 1")["files"][0]["sha256"] is not None

    library.call("POST", "/library/verify", {"headers_only": True})
    report = _work(library, "verify")["verify"]["report"]
    assert (report["headers"], report["read"], len(report["damaged"])) == (7, 0, 1)

    work = library.call("POST", "/library/scan", {"wait": False})
    assert work["scan"]["running"]
    assert _work(library, "scan")["scan"]["report"]["files"] == 7
    assert library.call("POST", "/library/cancel", {})["reading"] is None


@pytest.mark.parametrize("ids", [[], [0], [-4], [1 << 70]])
def test_files_that_cannot_be_are_refused(library: SyncEngineClient, ids: list[int]) -> None:
    for route in ("/library/verify", "/library/identify"):
        with pytest.raises(UsageError):
            library.call("POST", route, {"ids": ids})


def test_files_that_are_gone_from_the_index_are_no_error(library: SyncEngineClient) -> None:
    library.call("POST", "/library/verify", {"ids": [999_999]})
    assert _work(library, "verify")["verify"]["report"]["headers"] == 0


def test_what_fills_the_disk_is_told_by_folder_and_volume(library: SyncEngineClient) -> None:
    usage = library.call("GET", "/library/usage")
    roots = {root["name"]: root for root in usage["roots"]}
    assert (roots["loras"]["files"], roots["vae"]["files"]) == (6, 1)  # the hard link counts with its first name
    assert sum(row["bytes"] for row in usage["folders"]) == _ask(library)["totals"]["bytes"]
    (volume,) = usage["volumes"]
    assert volume["models_bytes"] == _ask(library)["totals"]["bytes"]
    assert 0 < volume["free_bytes"] < volume["total_bytes"]
    assert usage["kinds"][0]["files"] > 0
