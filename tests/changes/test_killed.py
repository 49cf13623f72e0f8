"""`kill -9` at any instant of a change or of its undoing: every file is whole in one of its two places, and goes on."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from comfystow.core.library.changes.ground import spares, trash_place
from comfystow.core.records.change import Act, Action, Method, Step
from support.grounds import Grounds, facts

WORKER = Path(__file__).with_name("carry_out.py")
KB = 1 << 10


def content_of(number: int) -> bytes:
    return random.Random(number).randbytes((3 if number % 7 else 700) * KB + number)


def make_plan(grounds: Grounds, each: int = 4) -> list[Action]:
    """Write files for each kind of action, and plan all of them, in a mixed order."""
    rows: list[dict] = []
    number = 0

    def add(act: Act, method: Method, source: Path, target: Path, **more) -> None:
        rows.append({"act": act, "method": method, "source": str(source), "target": str(target), **more})

    for act, method, top in (
        (Act.LINK, Method.HARD, grounds.downloads),
        (Act.LINK, Method.SYMLINK, grounds.downloads),
        (Act.LINK, Method.COPY, grounds.far),
        (Act.MOVE, Method.RENAME, grounds.downloads),
        (Act.MOVE, Method.COPY, grounds.far),
        (Act.TRASH, Method.RENAME, grounds.models / "checkpoints"),
        (Act.REPLACE, Method.HARD, grounds.models / "checkpoints"),
    ):
        for _ in range(each):
            number += 1
            source = grounds.write(top / f"{number}.safetensors", content_of(number))
            target = grounds.models / "loras" / "new" / f"{number}.safetensors"
            if act is Act.REPLACE:
                grounds.write(target, content_of(number), age_seconds=7200)
            add(act, method, source, target, target_facts=facts(target) if act is Act.REPLACE else None)
    random.Random(1).shuffle(rows)
    spare_of = spares(grounds.layout, "test")
    actions = []
    for index, row in enumerate(rows):
        source = Path(row["source"])
        if row["act"] is Act.TRASH:
            row["target"] = str(trash_place(grounds.layout, source, "test", index))
        actions.append(
            Action(
                number=index,
                size_bytes=source.stat().st_size,
                facts=facts(source),
                spare=spare_of(row["target"], index),
                **row,
            )
        )
    return actions


def start(grounds: Grounds, change_id: str) -> subprocess.Popen[bytes]:
    worker = subprocess.Popen([sys.executable, str(WORKER), str(grounds.state_dir), change_id], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    with worker.stdout as out:
        line = out.readline()
    assert line == b"ready\n", f"the worker ended with {worker.wait()}"
    return worker


def kill_within(grounds: Grounds, change_id: str, delay_seconds: float) -> bool:
    """Start a change and kill its process; false when it was done before."""
    worker = start(grounds, change_id)
    time.sleep(delay_seconds)
    worker.kill()
    return worker.wait() != 0


def kill_at(grounds: Grounds, change_id: str, event: int) -> bool:
    """Start a change that dies before its nth deed; false when it has fewer."""
    command = [sys.executable, str(WORKER), str(grounds.state_dir), change_id, str(event)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0


def assert_whole(actions: list[Action], originals: dict[str, bytes]) -> None:
    """Every content of an action is whole at its source or its target, and neither name holds anything else."""
    for action in actions:
        places = [Path(path) for path in (action.source, action.target) if path is not None]
        held = [path.read_bytes() for path in places if path.exists()]
        assert held, f"{action} is in neither place"
        assert all(content == originals[action.source] for content in held), f"{action} is broken"


def end(grounds: Grounds, change_id: str) -> None:
    """Let a change come to its end: everything is done, and nothing passing is left."""
    assert [action for action in grounds.apply(change_id) if action.step is not Step.DONE] == []
    assert list(grounds.base.rglob("*.part")) == []


def one_round(grounds: Grounds, each: int, kill: Callable[[Grounds, str], bool]) -> int:
    """Kill a change and its undoing, some times each, and let each come to its end; returns how often that hit."""
    actions = make_plan(grounds, each)
    before = grounds.tree()
    originals = {action.source: Path(action.source).read_bytes() for action in actions}
    change_id = grounds.keep(actions)
    kills = int(kill(grounds, change_id))
    assert_whole(actions, originals)
    end(grounds, change_id)
    assert_whole(actions, originals)
    undo_id = grounds.undo(change_id)
    kills += kill(grounds, undo_id)
    assert_whole(actions, originals)
    end(grounds, undo_id)
    assert grounds.tree() == before
    return kills


def random_rounds(base: Path, far: Path, rounds: int) -> int:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    kills = 0
    for number in range(rounds):
        grounds = Grounds(base / str(number), far / str(number))
        kills += one_round(grounds, 4, lambda *change: kill_within(*change, dice.uniform(0, 0.02)))
    return kills


def test_a_change_killed_at_any_instant_is_whole_and_ends(tmp_path: Path, far: Path) -> None:
    assert random_rounds(tmp_path, far, 4) >= 2


def test_a_change_killed_before_one_of_its_deeds_is_whole_and_ends(tmp_path: Path, far: Path) -> None:
    for event in range(1, 52, 6):
        grounds = Grounds(tmp_path / str(event), far / str(event))
        one_round(grounds, 1, partial(kill_at, event=event))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_hundreds_of_kills_at_random(tmp_path: Path, far: Path) -> None:
    assert random_rounds(tmp_path, far, 250) >= 200


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_kill_before_every_deed_of_every_kind(tmp_path: Path, far: Path) -> None:
    event = 1
    while True:
        grounds = Grounds(tmp_path / str(event), far / str(event))
        if one_round(grounds, 1, partial(kill_at, event=event)) == 0:
            break
        event += 1
    print(f"{event - 1} instants")
    assert event > 40
