"""How equal files are found: by their digests, and what cannot be equal is not read for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.core.library.changes.dedupe import Deduper, Origin, Place, find_copies
from comfystow.core.library.changes.incoming import look_into
from comfystow.core.library.changes.organise import Finding, Organiser, Wishes
from comfystow.core.library.index.index import LibraryIndex
from comfystow.core.library.index.roots import plan_roots
from comfystow.core.library.index.scan import Scanner
from comfystow.core.provision.changes.holdings import IndexHoldings
from comfystow.core.records.change import Act, LinkPolicy
from support.grounds import Grounds

_SIZE = 6 << 20
_BETWEEN = 100_000  # not among the pieces that are looked at first


class Counted:
    """Holdings over an index, and how many files were read as a whole."""

    def __init__(self, index: LibraryIndex) -> None:
        self.pieces = 0
        self.holdings = IndexHoldings(index, self._read)

    def _read(self) -> bool:
        self.pieces += 1
        return False

    @property
    def files(self) -> int:
        """Files of `_SIZE` are read in two pieces."""
        return self.pieces // 2


@pytest.fixture
def index(grounds: Grounds) -> Iterator[LibraryIndex]:
    """Give an index that is empty."""
    opened = LibraryIndex(grounds.state_dir)
    yield opened
    opened.close()


@pytest.fixture
def counted(index: LibraryIndex) -> Counted:
    """Give holdings that count."""
    return Counted(index)


def content(*changed: int) -> bytes:
    """Return the bytes of a model, with other ones at some offsets."""
    data = bytearray(_SIZE)
    for offset in changed:
        data[offset] = 1
    return bytes(data)


def fill(grounds: Grounds, folder: Path) -> dict[str, Path]:
    """Write two equal files, one that differs where nobody looks first, and one that differs at its end."""
    contents = {"a": content(), "equal": content(), "hidden": content(_BETWEEN), "other": content(_SIZE - 1)}
    return {name: grounds.write(folder / f"{name}.safetensors", data) for name, data in contents.items()}


def test_only_files_that_look_equal_are_read_and_only_equal_ones_linked(grounds: Grounds, counted: Counted) -> None:
    files = fill(grounds, grounds.downloads)
    copies = find_copies([Place(grounds.downloads, Origin.ELSEWHERE)], now=1e10, still_seconds=1)
    deduper = Deduper(counted.holdings, LinkPolicy.HARD, spare_of=lambda path, number: f"{path}.{number}")
    (row,) = deduper.plan(copies)
    assert (row.act, {row.source, row.target}) == (Act.REPLACE, {str(files["a"]), str(files["equal"])})
    assert row.digest is not None
    assert counted.files == 3
    (done,) = grounds.apply(grounds.keep([row]))
    assert files["a"].samefile(files["equal"]), done


def test_an_organised_folder_is_read_no_more_than_it_has_to_be(grounds: Grounds, counted: Counted) -> None:
    files = fill(grounds, grounds.downloads)
    organiser = Organiser(
        grounds.layout,
        lambda _path, _size: Finding(folder="loras"),
        counted.holdings,
        Wishes(),
        spare_of=lambda path, number: f"{path}.{number}",
    )
    rows = organiser.plan(look_into(grounds.downloads, now=1e10, still_seconds=1).models)
    acts = {Path(row.source).stem: row.act for row in rows}
    assert acts == {"a": Act.LINK, "equal": Act.SKIP, "hidden": Act.LINK, "other": Act.LINK}
    assert {row.target for row in rows if row.act is Act.SKIP} == {str(grounds.models / "loras" / files["a"].name)}
    assert counted.files == 3


def test_files_whose_digests_the_index_knows_are_not_read(grounds: Grounds, index: LibraryIndex) -> None:
    for name in ("a", "equal"):
        grounds.write(grounds.models / "loras" / f"{name}.safetensors", content())
    Scanner(index, 0.0).scan(plan_roots(grounds.layout), lambda _done, _total: None)
    library = Place(grounds.models, Origin.LIBRARY)

    def read_for(*places: Place) -> tuple[int, int]:
        counted = Counted(index)
        copies = find_copies(places, now=1e10, still_seconds=1)
        deduper = Deduper(counted.holdings, LinkPolicy.HARD, spare_of=lambda path, number: f"{path}.{number}")
        rows = deduper.plan(copies)
        return counted.files, len(rows)

    assert read_for(library) == (2, 1)
    assert read_for(library) == (0, 1)
    grounds.write(grounds.downloads / "third.safetensors", content())
    assert read_for(library, Place(grounds.downloads, Origin.ELSEWHERE)) == (1, 2)
