"""Each deed on real files: what it makes, what it refuses, how it is taken back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.core.library.changes import replace as replacing
from comfystow.core.library.changes.apply import Watcher, apply_change
from comfystow.core.library.changes.dedupe import Copies, Deduper, Origin, Place, find_copies
from comfystow.core.library.changes.discard import Shelved, choose_prunable
from comfystow.core.library.changes.ground import hidden_place, spares
from comfystow.core.library.changes.holdings import Tell
from comfystow.core.library.changes.incoming import look_into
from comfystow.core.library.changes.journal import ChangeJournal
from comfystow.core.library.changes.organise import Finding, Organiser, Wishes
from comfystow.core.library.changes.volumes import Volumes
from comfystow.core.mounts import Mount
from comfystow.core.records.change import Act, Action, ChangeState, FileFacts, LinkPolicy, Method, Step
from comfystow.core.records.model import Folder, FolderLayout
from support.engines import wait_for
from support.grounds import Grounds, facts
from support.rights import held_by_modes


def planned(grounds: Grounds, act: Act, method: Method, source: Path, target: Path) -> Action:
    spare = spares(grounds.layout, "test")(str(target), 0)
    old = facts(target) if act is Act.REPLACE else None
    return Action(
        number=0,
        act=act,
        method=method,
        source=str(source),
        target=str(target),
        facts=facts(source),
        target_facts=old,
        spare=spare,
        size_bytes=source.stat().st_size,
    )


def carried_out(grounds: Grounds, action: Action) -> Action:
    return grounds.apply(grounds.keep([action]))[0]


def test_a_name_that_came_after_the_plan_is_not_overwritten(grounds: Grounds) -> None:
    for act, method in (
        (Act.LINK, Method.HARD),
        (Act.LINK, Method.COPY),
        (Act.LINK, Method.SYMLINK),
        (Act.MOVE, Method.RENAME),
    ):
        source = grounds.write(grounds.downloads / "x.safetensors", b"new")
        target = grounds.models / "loras" / "x.safetensors"
        action = planned(grounds, act, method, source, target)
        grounds.write(target, b"mine")
        done = carried_out(grounds, action)
        assert (done.step, done.note) == (Step.SKIPPED, "another file has that name now")
        assert target.read_bytes() == b"mine"
        assert source.read_bytes() == b"new"
        target.unlink()


def test_what_was_taken_away_is_noted_as_gone(grounds: Grounds) -> None:
    source = grounds.write(grounds.downloads / "x.safetensors", b"x")
    link = grounds.keep([planned(grounds, Act.LINK, Method.HARD, source, grounds.models / "loras" / "x.safetensors")])
    assert grounds.apply(link)[0].made == facts(source)
    (back,) = grounds.apply(grounds.undo(link))
    assert (back.act, back.step, back.made, back.note) == (Act.REMOVE, Step.DONE, None, None)
    (dropped,) = grounds.apply(grounds.keep([planned(grounds, Act.DROP, Method.RENAME, source, source)]))
    assert (dropped.step, dropped.made, dropped.note) == (Step.DONE, None, None)


def test_a_hard_link_across_volumes_fails_and_says_what_to_choose(grounds: Grounds) -> None:
    source = grounds.write(grounds.far / "x.safetensors", b"far")
    done = carried_out(grounds, planned(grounds, Act.LINK, Method.HARD, source, grounds.models / "x.safetensors"))
    assert done.step is Step.FAILED
    assert "choose copy, symlink or move" in (done.note or "")
    assert list(grounds.models.rglob(".comfystow*")) == []


def test_a_file_that_changes_at_the_last_moment_is_put_back(grounds: Grounds, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = grounds.write(grounds.models / "loras" / "a.safetensors", b"same")
    copy = grounds.write(grounds.models / "loras" / "b.safetensors", b"same")
    action = planned(grounds, Act.REPLACE, Method.HARD, keeper, copy)
    real, calls = replacing.exchange_names, []

    def late(one: Path, other: Path) -> bool:
        if not calls:
            copy.write_bytes(b"another program was faster")
        calls.append(one)
        return real(one, other)

    monkeypatch.setattr(replacing, "exchange_names", late)
    done = carried_out(grounds, action)
    assert (done.step, len(calls)) == (Step.SKIPPED, 2)
    assert copy.read_bytes() == b"another program was faster"
    assert keeper.read_bytes() == b"same"
    assert list(grounds.models.rglob("*.part")) == []


def test_without_an_exchange_the_file_is_compared_before_it_goes(
    grounds: Grounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "exchange_names", lambda _one, _other: False)
    keeper = grounds.write(grounds.models / "loras" / "a.safetensors", b"same")
    copy = grounds.write(grounds.models / "loras" / "b.safetensors", b"same")
    done = carried_out(grounds, planned(grounds, Act.REPLACE, Method.HARD, keeper, copy))
    assert done.step is Step.DONE
    assert copy.samefile(keeper)


def test_undo_moves_back_what_has_become_the_only_name(grounds: Grounds) -> None:
    source = grounds.write(grounds.downloads / "x.safetensors", b"content")
    target = grounds.models / "loras" / "x.safetensors"
    change = grounds.keep([planned(grounds, Act.LINK, Method.HARD, source, target)])
    grounds.apply(change)
    source.unlink()
    (done,) = grounds.apply(grounds.undo(change))
    assert done.step is Step.DONE
    assert source.read_bytes() == b"content"
    assert not target.exists()


def test_undo_leaves_what_was_changed_since(grounds: Grounds) -> None:
    source = grounds.write(grounds.downloads / "x.safetensors", b"content")
    target = grounds.models / "loras" / "x.safetensors"
    change = grounds.keep([planned(grounds, Act.MOVE, Method.RENAME, source, target)])
    grounds.apply(change)
    target.write_bytes(b"edited")
    (done,) = grounds.apply(grounds.undo(change))
    assert (done.step, done.note) == (Step.SKIPPED, "it has changed since the plan was made")
    assert target.read_bytes() == b"edited"


@pytest.mark.parametrize("act", [Act.LINK, Act.MOVE, Act.TRASH, Act.REPLACE])
def test_what_was_taken_back_can_be_done_again(grounds: Grounds, act: Act) -> None:
    source = grounds.write(grounds.downloads / "x.safetensors", b"content")
    target = grounds.models / "loras" / "x.safetensors"
    if act is Act.REPLACE:
        grounds.write(target, b"content", age_seconds=9000)
    before = grounds.tree()
    method = Method.HARD if act in {Act.LINK, Act.REPLACE} else Method.RENAME
    change = grounds.keep([planned(grounds, act, method, source, target)])
    grounds.apply(change)
    after = grounds.tree()
    undo = grounds.undo(change)
    grounds.apply(undo)
    assert grounds.tree() == before
    (done,) = grounds.apply(grounds.undo(undo))
    assert done.step is Step.DONE
    assert grounds.tree() == after


def test_a_volume_that_is_away_is_waited_for(grounds: Grounds) -> None:
    source = grounds.write(grounds.base / "volume" / "a" / "x.safetensors", b"content")
    target = source.parent.parent / "b" / "x.safetensors"
    target.parent.mkdir()
    change = grounds.keep([planned(grounds, Act.MOVE, Method.RENAME, source, target)])
    with ChangeJournal(grounds.state_dir) as journal:
        journal.set_state(change, ChangeState.APPLYING)
        journal.turn(change, starting=range(1))
        (grounds.base / "volume").rename(grounds.base / "away")
        apply_change(journal, change, Watcher())
        assert journal.get(change).state is ChangeState.STOPPED
        assert journal.unfinished() == [change]
        (grounds.base / "away").rename(grounds.base / "volume")
        apply_change(journal, change, Watcher())
        assert journal.get(change).state is ChangeState.APPLIED
        assert journal.unfinished() == []
    assert target.read_bytes() == b"content"


def test_a_change_stops_between_two_files_and_goes_on(grounds: Grounds) -> None:
    actions = []
    for number in range(6):
        source = grounds.write(grounds.far / f"{number}.safetensors", bytes([number]) * 1000)
        target = grounds.models / "loras" / source.name
        row = planned(grounds, Act.LINK, Method.COPY, source, target)
        actions.append(row._replace(number=number))
    change = grounds.keep(actions)
    told = []
    with ChangeJournal(grounds.state_dir) as journal:
        apply_change(journal, change, Watcher(cancelled=lambda: len(told) >= 2, tell=told.append))
        assert journal.get(change).state is ChangeState.STOPPED
        assert [action.step for action in journal.actions(change)].count(Step.DONE) == 2
        apply_change(journal, change, Watcher())
        assert journal.get(change).done == 6


def test_mounts_say_which_links_there_are(tmp_path: Path) -> None:
    for name in ("ext4", "other", "bound", "stick", "btrfs"):
        (tmp_path / name / "models").mkdir(parents=True)
    root = Mount("/", "ext4", "8:1")
    mounts = [
        root,
        Mount(f"{tmp_path}/other", "ext4", "8:2"),
        Mount(f"{tmp_path}/bound", "ext4", "8:1"),
        Mount(f"{tmp_path}/stick", "exfat", "8:3"),
        Mount(f"{tmp_path}/btrfs", "btrfs", "0:40"),
    ]
    volumes = Volumes(mounts)

    def method(policy: LinkPolicy, one: str, other: str) -> Method | None:
        return volumes.method(policy, f"{tmp_path}/{one}/x", f"{tmp_path}/{other}/models/x")[0]

    assert method(LinkPolicy.AUTO, "ext4", "ext4") is Method.HARD
    assert method(LinkPolicy.AUTO, "ext4", "other") is None
    assert method(LinkPolicy.AUTO, "ext4", "bound") is None  # one device, two mounts: link(2) gives EXDEV
    assert method(LinkPolicy.AUTO, "stick", "stick") is None
    assert method(LinkPolicy.MOVE, "ext4", "other") is Method.COPY
    assert method(LinkPolicy.MOVE, "ext4", "ext4") is Method.RENAME
    assert method(LinkPolicy.SYM, "ext4", "other") is Method.SYMLINK
    assert method(LinkPolicy.REFLINK, "ext4", "ext4") is None
    assert method(LinkPolicy.REFLINK, "btrfs", "btrfs") is Method.REFLINK
    assert method(LinkPolicy.AUTO, "btrfs", "btrfs") is Method.HARD


def test_unreadable_folders_and_files_are_told(grounds: Grounds) -> None:
    grounds.write(grounds.downloads / "closed" / "x.safetensors", b"x")
    secret = grounds.write(grounds.downloads / "secret.safetensors", b"same")
    grounds.write(grounds.downloads / "open.safetensors", b"same")
    (grounds.downloads / "closed").chmod(0)
    secret.chmod(0)
    with held_by_modes():
        arrivals = look_into(grounds.downloads, now=1e10, still_seconds=1)
        copies = find_copies([Place(grounds.downloads, Origin.ELSEWHERE)], now=1e10, still_seconds=1)
        rows = Deduper(NoHoldings(), LinkPolicy.HARD, spare_of=lambda path, _number: path).plan(copies)
    (grounds.downloads / "closed").chmod(0o755)
    assert [problem.path for problem in arrivals.problems] == [str(grounds.downloads / "closed")]
    assert len(arrivals.models) == 2
    assert rows == []
    assert {problem.path for problem in copies.problems} == {str(grounds.downloads / "closed"), str(secret)}


def test_links_in_a_circle_are_walked_once(grounds: Grounds) -> None:
    grounds.write(grounds.downloads / "a" / "x.safetensors", b"x")
    (grounds.downloads / "a" / "up").symlink_to(grounds.downloads)
    (grounds.downloads / "self").symlink_to(grounds.downloads / "self")
    arrivals = look_into(grounds.downloads, now=1e10, still_seconds=1)
    assert len(arrivals.models) == 1
    copies = find_copies([Place(grounds.downloads, Origin.LIBRARY)] * 2, now=1e10, still_seconds=1)
    assert len(copies.files) == 1


def test_files_of_one_content_are_linked_to_the_librarys(grounds: Grounds) -> None:
    ours = grounds.write(grounds.models / "loras" / "ours.safetensors", b"same")
    theirs = grounds.write(grounds.downloads / "theirs.safetensors", b"same", age_seconds=99_999)
    far = grounds.write(grounds.far / "far.safetensors", b"same")
    places = [Place(grounds.far, Origin.ELSEWHERE), Place(grounds.downloads, Origin.ELSEWHERE)]
    places.append(Place(grounds.models, Origin.LIBRARY))
    found: Copies = find_copies(places, now=1e10, still_seconds=1)
    rows = Deduper(NoHoldings(), LinkPolicy.HARD, spare_of=lambda path, _number: path).plan(found)
    told = [(row.act, row.source, row.target) for row in rows]
    assert told == [(Act.REPLACE, str(ours), str(theirs)), (Act.SKIP, str(ours), str(far))]


def test_the_trash_lies_in_no_list_and_on_the_same_volume(grounds: Grounds) -> None:
    assert hidden_place(grounds.layout, grounds.models / "loras") == grounds.models


def test_a_budget_takes_the_least_recently_used_that_can_be_had_again() -> None:
    def shelved(name: str, recent_at: float, **more: object) -> Shelved:
        known = {"identity": (1, hash(name)), "links": 1, "fetchable": True, **more}
        return Shelved(path=Path(name), size_bytes=10, recent_at=recent_at, **known)

    old, new = shelved("old", 1), shelved("new", 9)
    own = shelved("own", 0, fetchable=False)
    twice = [shelved(name, 2, identity=(1, 5), links=2) for name in ("one", "two")]
    hidden = shelved("hidden", 0, links=2)
    files = [new, own, old, *twice, hidden]
    assert choose_prunable(files, 50) == ([], 0)
    assert choose_prunable(files, 40) == ([old], 0)
    assert choose_prunable(files, 30) == ([old, *twice], 0)
    assert choose_prunable(files, 0) == ([old, *twice, new], 20)
    named = shelved("own", 0, fetchable=False, named=True)
    assert choose_prunable([new, named], 10) == ([named], 0)


@pytest.fixture
def clones() -> Iterator[Path]:
    """Give a folder on XFS; this needs root and `mkfs.xfs`."""
    folder = Path(tempfile.mkdtemp(prefix="comfystow-xfs-"))
    image, place = folder / "image", folder / "place"
    place.mkdir()
    with image.open("wb") as out:
        out.truncate(400 << 20)
    subprocess.run(["mkfs.xfs", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)
    shutil.rmtree(folder)


@pytest.mark.long
def test_reflinks_share_blocks_and_are_files_of_their_own(clones: Path) -> None:
    grounds = Grounds(clones / "base", clones / "far")
    content = os.urandom(20 << 20)
    keeper = grounds.write(grounds.models / "loras" / "a.safetensors", content)
    copy = grounds.write(grounds.models / "vae" / "b.safetensors", content, age_seconds=9000)
    before, free = grounds.tree(), shutil.disk_usage(clones).free
    change = grounds.keep([planned(grounds, Act.REPLACE, Method.REFLINK, keeper, copy)])
    assert grounds.apply(change)[0].step is Step.DONE
    subprocess.run(["sync", "-f", str(clones)], check=True)
    wait_for(lambda: shutil.disk_usage(clones).free - free > 15 << 20)  # XFS frees what was unlinked when it likes
    assert not copy.samefile(keeper)
    assert grounds.tree() == before
    copied = grounds.keep([planned(grounds, Act.LINK, Method.COPY, keeper, grounds.models / "vae" / "c.safetensors")])
    (done,) = grounds.apply(copied)
    assert (done.step, done.method) == (Step.DONE, Method.REFLINK)
    assert Volumes().method(LinkPolicy.REFLINK, str(keeper), str(copy))[0] is Method.REFLINK


def test_nothing_is_put_where_no_models_belong(grounds: Grounds) -> None:
    nodes = grounds.base / "custom_nodes"
    nodes.mkdir()
    (grounds.models / "odd").symlink_to(nodes)
    folders = {
        **grounds.layout.folders,
        "custom_nodes": Folder(directories=(nodes,)),
        "odd": Folder(directories=(grounds.models / "odd",)),
    }
    layout = FolderLayout(folders=folders)
    grounds.write(grounds.downloads / "x.safetensors", b"x")
    models = look_into(grounds.downloads, now=1e10, still_seconds=1).models
    for folder in ("custom_nodes", "odd", "nowhere"):
        finding = Finding(folder=folder, chosen=True)
        organiser = Organiser(
            layout,
            lambda _path, _size, finding=finding: finding,
            NoHoldings(),
            Wishes(),
            spare_of=lambda path, _number: path,
        )
        (row,) = organiser.plan(models)
        assert row.act is Act.LEAVE
        assert f"no folder `{folder}`" in (row.conflict or "")


class NoHoldings:
    """An empty library."""

    def of_size(self, _size_bytes: int) -> list[str]:
        return []

    def digest(self, path: str, _facts: FileFacts) -> str:
        return Path(path).read_bytes().hex()

    def telling(self, _files: object) -> Tell:
        return self.digest
