"""Many files of a folder that is organised: helpers look into them, and the plan is the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfystow.core.library.changes.organise import Wishes
from comfystow.core.library.index import crew as crew_module
from comfystow.core.library.index.index import LibraryIndex
from comfystow.core.provision.changes.plans import Plans
from comfystow.core.records.change import Act, Action
from support.grounds import Grounds
from support.models import write_lora, write_still
from support.rights import held_by_modes
from support.shelves import safetensors

_FILES = 420


def plan(grounds: Grounds, index: LibraryIndex, *, allow_pickle: bool) -> list[Action]:
    plans = Plans(state_dir=grounds.state_dir, layout=grounds.layout, index=index, still_seconds=1.0)
    make = plans.organise(
        grounds.downloads, Wishes(allow_pickle=allow_pickle), chosen={"017.safetensors": "checkpoints"}
    )
    return list(make("c" * 12, lambda _done, _total: None).actions)


def fill(folder: Path) -> None:
    """Write what can be told, what cannot, what is damaged or dangerous, and what travels along."""
    for number in range(_FILES):
        write_still(folder / f"{number:03}.safetensors", safetensors(8 + number))
    write_lora(folder / "style.safetensors")
    write_still(folder / "style.preview.png", b"p")
    write_still(folder / "cut.safetensors", safetensors(4000)[:-9])
    write_still(folder / "evil.pt", b"cos\nsystem\n(S'echo'\ntR.")
    write_still(Path(os.fsdecode(os.fsencode(folder) + b"/odd\xff.safetensors")), safetensors(9))
    write_still(folder / "closed.safetensors", safetensors(10)).chmod(0)


@pytest.mark.parametrize("allow_pickle", [False, True])
def test_a_plan_with_helpers_is_the_plan_without_them(
    grounds: Grounds, monkeypatch: pytest.MonkeyPatch, *, allow_pickle: bool
) -> None:
    fill(grounds.downloads)
    started = []
    start = crew_module._start

    def starting(look):
        started.append(start(look))
        if len(started) == 1:
            started[0].kill()
        return started[-1]

    monkeypatch.setattr(crew_module, "_start", starting)
    index = LibraryIndex(grounds.state_dir)
    with held_by_modes():
        helped = plan(grounds, index, allow_pickle=allow_pickle)
        assert len(started) == min(os.cpu_count() or 1, 2)
        assert all(child.returncode is not None for child in started)
        monkeypatch.setattr(crew_module, "_LEAST_FILES", 10_000)
        alone = plan(grounds, index, allow_pickle=allow_pickle)
    index.close()
    assert helped == alone
    rows = {os.path.basename(row.source): row for row in helped}
    assert (rows["style.safetensors"].act, rows["style.preview.png"].follows) == (Act.LINK, 0)
    assert rows["017.safetensors"].target == str(grounds.models / "checkpoints" / "017.safetensors")
    assert "damaged" in (rows["cut.safetensors"].conflict or "")
    assert ("system" in (rows["evil.pt"].conflict or "")) is allow_pickle
    assert "cannot be read" in (rows["closed.safetensors"].conflict or "")
    assert len(started) == min(os.cpu_count() or 1, 2)
