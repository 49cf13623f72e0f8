"""`comfystow bench download`: our engine beside aria2c, curl and huggingface_hub, in alternating rounds.

`python -m comfystow.bench.download [--case NAME] [--rounds N] [--size 2G] [--save FILE] [--baseline FILE]`
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from statistics import geometric_mean, median

from ..core.units import parse_size
from .cases import CASES, Case, World
from .tools import Contender, OurEngine, fresh

#: By case and tool, medians of `wall` and `cpu` in seconds.
Report = dict[str, dict[str, dict[str, float]]]
_WORSE = 1.25


def main(argv: list[str] | None = None) -> int:
    """Run the cases and print one table each; the exit code tells of targets that were missed, and of regressions."""
    options = _parse(argv)
    names = options.case or list(CASES)
    report: Report = {}
    missed = 0
    with contextlib.ExitStack() as stack:
        engine = OurEngine()
        stack.callback(engine.close)
        world = stack.enter_context(World(options.dir, engine, size=parse_size(options.size)))
        for name in names:
            with contextlib.ExitStack() as case_stack:
                case = CASES[name](world, case_stack)
                world.touch_memory(sum(item.size_bytes for item in case.items))
                _run(case, options.rounds, world)
                missed += _print(name, case)
                report[name] = {
                    row.name: {kind: median(getattr(run, kind) for run in row.runs) for kind in ("wall", "cpu")}
                    for row in case.rows
                }
    if options.save:
        options.save.write_text(json.dumps(report, indent=1))
    if options.baseline:
        missed += _compare(report, json.loads(options.baseline.read_text()))
    return 1 if missed else 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="comfystow bench download", description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="2Gi", help="of the one large file")
    parser.add_argument("--dir", type=Path, default=Path("/tmp/comfystow-bench"), help="on the disk to measure")
    parser.add_argument("--save", type=Path, help="write the medians as JSON")
    parser.add_argument("--baseline", type=Path, help="compare with medians written before")
    return parser.parse_args(argv)


def _run(case: Case, rounds: int, world: World) -> None:
    for number in range(rounds):
        # Each round begins with another tool, so that none always finds the machine as the same other left it.
        shift = number % len(case.rows)
        for row in case.rows[shift:] + case.rows[:shift]:
            folder = fresh(world.out)
            result = row.run(case.items, folder)
            wrong = [i.name for i in case.items if not _there(folder, i.name, i.size_bytes)]
            if wrong or not result.ok:
                print(f"{row.name}: {len(wrong)} files are not whole", file=sys.stderr)
            row.runs.append(result)


def _there(folder: Path, name: str, size_bytes: int) -> bool:
    path = folder / name
    return path.exists() and path.stat().st_size == size_bytes


def _print(name: str, case: Case) -> int:
    print(f"\n## {name}: {case.title}")
    print("| tool | wall s (min–max) | cpu s | peak MiB | runs ok |")
    print("|---|---|---|---|---|")
    for row in case.rows:
        walls = [run.wall for run in row.runs]
        print(
            f"| {row.name} | {median(walls):.2f} ({min(walls):.2f}–{max(walls):.2f}) "
            f"| {median(run.cpu for run in row.runs):.2f} | {median(run.memory for run in row.runs) / 2**20:.0f} "
            f"| {sum(run.ok for run in row.runs)}/{len(row.runs)} |"
        )
    missed = 0
    for text, value, limit in case.judge({row.name: row for row in case.rows}):
        reached = value <= limit
        missed += not reached
        print(f"- {text}: {value:.2f}, target ≤ {limit:.2f}: {'reached' if reached else 'MISSED'}")
    sys.stdout.flush()
    return missed


def _compare(report: Report, baseline: Report) -> int:
    """Print ours beside its rivals, now and then; return how many got worse.

    A busy machine slows all of them, so what is compared is ours divided by the rivals' mean, not seconds.
    """
    worse = 0
    print(f"\n## against the baseline (ours / rivals, now / then; above {_WORSE} is a regression)")
    for name, rows in report.items():
        for ours in (tool for tool in rows if tool.startswith("ours") and tool in baseline.get(name, {})):
            for kind in ("wall", "cpu"):
                change = _beside(rows, ours, kind) / _beside(baseline[name], ours, kind)
                worse += change > _WORSE
                print(f"- {name}, {ours}, {kind}: {change:.2f}{' REGRESSION' if change > _WORSE else ''}")
    return worse


def _beside(rows: dict[str, dict[str, float]], ours: str, kind: str) -> float:
    return rows[ours][kind] / geometric_mean(row[kind] for tool, row in rows.items() if not tool.startswith("ours"))


__all__ = ["Contender", "main"]

if __name__ == "__main__":
    sys.exit(main())
