"""Read a Dockerfile as BuildKit does: stages, and instructions without their line breaks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction of a stage; `stage` is empty above the first FROM."""

    stage: str
    name: str
    value: str


def instructions_of(path: Path) -> list[Instruction]:
    """List the instructions in order. Comments are out, continued lines are one."""
    text = re.sub(r"(?m)^\s*#.*\n", "", path.read_text(encoding="utf-8"))
    found: list[Instruction] = []
    stage = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip():
            continue
        name, _, value = line.strip().partition(" ")
        if name == "FROM":
            stage = value.rpartition(" AS ")[2] or value
        found.append(Instruction(stage=stage, name=name, value=re.sub(r"\s+", " ", value).strip()))
    return found


def parents_of(instructions: list[Instruction]) -> dict[str, str]:
    """Map each stage to what it is built on; an argument in the name stands as it is."""
    return {entry.stage: entry.value.partition(" AS ")[0] for entry in instructions if entry.name == "FROM"}


def chain_of(instructions: list[Instruction], stage: str) -> list[str]:
    """List the stages whose layers a stage has, itself last."""
    parents = parents_of(instructions)
    chain = []
    while stage in parents:
        chain.insert(0, stage)
        stage = parents[stage]
    return chain
