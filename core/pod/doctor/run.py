"""Run all checks, side by side, each within its time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import wait
from functools import partial

from ...detached import detach
from ...errors import StowError
from ...records.pod import Finding, FindingState
from . import access, disks, graphics, system
from .examined import Check, Examined, unknown

CHECK_SECONDS = 75.0

CHECKS: tuple[Check, ...] = (
    disks.volume,
    disks.layout,
    disks.space,
    disks.quota,
    system.cores,
    system.memory,
    system.names,
    system.clock,
    system.kernel,
    graphics.graphics,
    graphics.variables,
    graphics.preloads,
    access.arguments,
    access.tokens,
    access.ports,
    access.passwords,
)


def examine(examined: Examined, checks: Sequence[Check] = CHECKS, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """Return all findings in the order of the checks; a check that hangs or fails is unknown."""
    found: list[list[Finding]] = [[] for _ in checks]
    looks = [
        detach(check.__name__, partial(_run, check, examined, findings))
        for check, findings in zip(checks, found, strict=True)
    ]
    wait(looks, seconds)
    for look, check, findings in zip(looks, checks, found, strict=True):
        if not look.done():
            findings.append(
                unknown(check.__name__, f"it did not come to an end within {seconds:g} s", "a disk or a driver hangs")
            )
    return [finding for findings in found for finding in list(findings)]


def _run(check: Check, examined: Examined, findings: list[Finding]) -> None:
    try:
        findings.extend(check(examined))
    except StowError as err:
        findings.append(unknown(check.__name__, err.message, err.hint))
    except Exception as err:  # noqa: BLE001 - a worker's top level: one check that fails must not silence the others
        findings.append(unknown(check.__name__, f"{type(err).__name__}: {err}"[:200]))


def healthy(findings: Sequence[Finding]) -> bool:
    """Tell whether nothing is bad."""
    return all(finding.state is not FindingState.BAD for finding in findings)
